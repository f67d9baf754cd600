package contract

// LockingConnections is how many connections of a pool may be used by transactions that wait for locks: three quarters.
// The others are left to reads, which wait for none.
func LockingConnections(pool int) int {
	if pool <= 1 {
		return pool
	}
	return pool - max(1, pool/4)
}
