package postgres_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"shoplab/service/postgres"
	"shoplab/service/shop"
)

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	for name, u := range map[string]string{
		"not a URL":      "postgres://user:s3cret@:no-port/",
		"nobody there":   "postgres://user:s3cret@127.0.0.1:1/shop?connect_timeout=2",
		"wrong password": strings.Replace(server.URL(), "shop:", "shop:s3cret", 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := postgres.Open(t.Context(), postgres.Config{URL: u})
			if err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// hold locks the user's row, on which PlaceOrder then waits, until release is called.
func hold(t *testing.T, u string, userID int64) (release func()) {
	t.Helper()
	return holdRow(t, u, "users", userID)
}

func holdRow(t *testing.T, u, table string, id int64) (release func()) {
	t.Helper()
	tx, err := connect(t, u).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT FROM "+table+" WHERE id = $1 FOR UPDATE", id); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// awaitLock waits until a session waits for a lock.
func awaitLock(t *testing.T, u string) {
	t.Helper()
	conn := connect(t, u)
	await(t, "a session waits for a lock", func() bool {
		var waits bool
		err := conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() "+
			"AND wait_event_type = 'Lock')").Scan(&waits)
		return err == nil && waits
	})
}

// TestExhaustedPool: who finds no connection within the acquire timeout is told so, and the pool
// works again once its connections come back.
func TestExhaustedPool(t *testing.T) {
	t.Parallel()
	_, u := openNew(t, "")
	const wait = time.Second
	db := open(t, postgres.Config{
		URL: u, MaxConns: 1, AcquireTimeout: wait, StatementTimeout: patience, LockTimeout: patience,
	})
	user, err := db.CreateUser(t.Context(), shop.User{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	release := hold(t, u, user.ID)
	placed := make(chan error)
	go func() {
		_, _, err := db.PlaceOrder(t.Context(), shop.OrderRequest{UserID: user.ID, Key: "k", TTL: time.Minute})
		placed <- err
	}()
	awaitLock(t, u)
	start := time.Now()
	_, err = db.Product(t.Context(), 1)
	if took := time.Since(start); shop.CodeOf(err) != shop.CodeOverloaded || took < wait {
		t.Errorf("after %s: %v", took, err)
	}
	if n := db.Stat().CanceledAcquireCount(); n == 0 {
		t.Error("nobody counted")
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("a busy pool is not a lost database: %v", err)
	}
	release()
	if err := <-placed; shop.CodeOf(err) != shop.CodeEmptyCart {
		t.Errorf("place: %v", err)
	}
	if _, err := db.Product(t.Context(), 1); shop.CodeOf(err) != shop.CodeNotFound {
		t.Errorf("after the rush: %v", err)
	}
}

func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	_, u := openNew(t, "")
	db := open(t, postgres.Config{URL: u, AcquireTimeout: patience, StatementTimeout: 100 * time.Millisecond})
	user, err := db.CreateUser(t.Context(), shop.User{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	release := hold(t, u, user.ID)
	_, _, err = db.PlaceOrder(t.Context(), shop.OrderRequest{UserID: user.ID, Key: "k", TTL: time.Minute})
	if shop.CodeOf(err) != shop.CodeOverloaded {
		t.Errorf("waiting for a lock: %v", err)
	}
	release()
	if _, _, err := db.PlaceOrder(t.Context(), shop.OrderRequest{
		UserID: user.ID, Key: "k", TTL: time.Minute,
	}); shop.CodeOf(err) != shop.CodeEmptyCart {
		t.Errorf("afterwards: %v", err)
	}
}

// A read by its key is one round trip, a batch too; begin and commit are statements of their own.
func TestRoundTripsAreCounted(t *testing.T) {
	t.Parallel()
	_, u := openNew(t, "")
	db := open(t, postgres.Config{URL: u, AcquireTimeout: patience})
	p, err := db.PutProduct(t.Context(), shop.Product{Name: "p", Category: "c", PriceCents: 100, Stock: 100})
	if err != nil {
		t.Fatal(err)
	}
	trips := func(what func() error) int64 {
		before := db.Stat().RoundTripCount()
		if err := what(); err != nil {
			t.Fatal(err)
		}
		return db.Stat().RoundTripCount() - before
	}
	if n := trips(func() error { _, err := db.Product(t.Context(), p.ID); return err }); n != 1 {
		t.Errorf("a product took %d round trips, want 1", n)
	}
	guest := shop.Owner{Guest: "0123456789abcdef0123456789abcdef"}
	if n := trips(func() error { _, err := db.AddItem(t.Context(), guest, p.ID, 1); return err }); n < 1 || n > 3 {
		t.Errorf("adding to a cart took %d round trips, want one batch and at most its transaction's two", n)
	}
}

// A connection's time counts from when a call has it to when it gives it back, and not while the call waits for one.
func TestHeldTimeIsCounted(t *testing.T) {
	t.Parallel()
	_, u := openNew(t, "")
	db := open(t, postgres.Config{URL: u, MaxConns: 2, AcquireTimeout: patience})
	p, err := db.PutProduct(t.Context(), shop.Product{Name: "p", Category: "c", PriceCents: 100, Stock: 100})
	if err != nil {
		t.Fatal(err)
	}
	before, began := db.Stat().HeldTime(), time.Now()
	var reading sync.WaitGroup
	for range 8 {
		reading.Go(func() {
			for range 20 {
				if _, err := db.Product(t.Context(), p.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	reading.Wait()
	if held, most := db.Stat().HeldTime()-before, 2*time.Since(began); held <= 0 || held > most {
		t.Errorf("8 callers held 2 connections for %s, want something up to the %s that there was", held, most)
	}
}

// TestLockedProduct: orders that wait for a row that somebody holds leave the reads their connections, and give
// up with a code of their own; one whose wait ends in time is placed.
func TestLockedProduct(t *testing.T) {
	t.Parallel()
	_, u := openNew(t, "")
	db := open(t, postgres.Config{URL: u, MaxConns: 4, AcquireTimeout: patience, LockTimeout: 200 * time.Millisecond})
	p, err := db.PutProduct(t.Context(), shop.Product{Name: "p", Category: "c", PriceCents: 100, Stock: 100})
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for i := range 8 {
		user, err := db.CreateUser(t.Context(), shop.User{Email: fmt.Sprint(i, "@example.com")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.AddItem(t.Context(), shop.Owner{UserID: user.ID}, p.ID, 1); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, user.ID)
	}
	release := holdRow(t, u, "products", p.ID)
	var ordering sync.WaitGroup
	for _, id := range ids {
		ordering.Go(func() {
			_, _, err := db.PlaceOrder(t.Context(), shop.OrderRequest{UserID: id, Key: "k", TTL: time.Minute})
			if shop.CodeOf(err) != shop.CodeBusy {
				t.Errorf("ordering a locked product: %v", err)
			}
		})
	}
	done := make(chan struct{})
	go func() { ordering.Wait(); close(done) }()
	reads := 0
	for reading := true; reading; reads++ {
		if _, err := db.Product(t.Context(), p.ID); err != nil {
			t.Errorf("reading meanwhile: %v", err)
		}
		select {
		case <-done:
			reading = false
		default:
		}
	}
	if n := db.Stat().LockTimeoutCount(); n != int64(len(ids)) || reads < 10 {
		t.Errorf("%d orders gave up, want %d; %d reads meanwhile", n, len(ids), reads)
	}

	placed := make(chan error)
	go func() {
		_, _, err := db.PlaceOrder(t.Context(), shop.OrderRequest{UserID: ids[0], Key: "k", TTL: time.Minute})
		placed <- err
	}()
	awaitLock(t, u)
	release()
	if err := <-placed; err != nil {
		t.Errorf("ordering what is let go in time: %v", err)
	}
}

// TestBrokenConnection cuts the connection while an order waits: the shopper may try again, and the
// next call gets another connection.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	_, direct := openNew(t, "")
	proxy, cut := cutter(t, direct)
	db := open(t, postgres.Config{
		URL: proxy, MaxConns: 1, AcquireTimeout: patience, StatementTimeout: patience, LockTimeout: patience,
	})
	user, err := db.CreateUser(t.Context(), shop.User{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	release := hold(t, direct, user.ID)
	placed := make(chan error)
	go func() {
		_, _, err := db.PlaceOrder(t.Context(), shop.OrderRequest{UserID: user.ID, Key: "k", TTL: time.Minute})
		placed <- err
	}()
	awaitLock(t, direct)
	cut()
	if err := <-placed; shop.CodeOf(err) != shop.CodeOverloaded {
		t.Errorf("cut off: %v", err)
	}
	release()
	if _, err := db.User(t.Context(), user.ID); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// cutter passes connections on to the database at dbURL. It returns the URL to connect to, and how to
// cut those that are open.
func cutter(t *testing.T, dbURL string) (proxyURL string, cut func()) {
	t.Helper()
	u, err := url.Parse(dbURL)
	if err != nil {
		t.Fatal(err)
	}
	target := u.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu   sync.Mutex
		open []net.Conn
		wg   sync.WaitGroup
	)
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				t.Errorf("dial: %v", err)
				return
			}
			mu.Lock()
			open = append(open, client, server)
			mu.Unlock()
			// Both directions end when either is cut, so an error of io.Copy is expected.
			wg.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
			wg.Go(func() { _, _ = io.Copy(client, server); _ = client.Close() })
		}
	})
	cut = func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			_ = c.Close() // twice is an error, and no harm
		}
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		cut()
		wg.Wait()
	})
	u.Host = l.Addr().String()
	return u.String(), cut
}

// TestReady: a database that goes away is noticed, and so is its return; asking costs no connection.
func TestReady(t *testing.T) {
	t.Parallel()
	db, u := openNew(t, "")
	parsed, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(parsed.Path, "/")
	admin := connect(t, server.AdminURL())
	exec := func(sql string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	before := db.Stat().AcquireCount()
	for range 1000 {
		if err := db.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := db.Stat().AcquireCount() - before; n > 20 { // the check in the background runs each second
		t.Errorf("1000 probes acquired %d connections", n)
	}
	exec(fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS false", name))
	exec(fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'", name))
	await(t, "the loss is noticed", func() bool { return db.Ready(t.Context()) != nil })
	if _, err := db.Product(t.Context(), 1); shop.CodeOf(err) != shop.CodeOverloaded {
		t.Errorf("without its database: %v", err)
	}
	exec(fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS true", name))
	await(t, "the return is noticed", func() bool { return db.Ready(t.Context()) == nil })
	if _, err := db.Product(t.Context(), 1); shop.CodeOf(err) != shop.CodeNotFound {
		t.Errorf("with its database: %v", err)
	}
}

// await waits until what is so.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for !is() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("waited %s, but not: %s", patience, what)
		}
	}
}

func TestDropGuestCarts(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "")
	p, err := b.PutProduct(t.Context(), shop.Product{Name: "p", Category: "c", Stock: 1})
	if err != nil {
		t.Fatal(err)
	}
	user, err := b.CreateUser(t.Context(), shop.User{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	owners := []shop.Owner{
		{Guest: "old-1"}, {Guest: "old-2"}, {Guest: "old-3"}, {UserID: user.ID}, {Guest: "new"}, {Guest: "used"},
	}
	for _, o := range owners {
		if _, err := b.AddItem(t.Context(), o, p.ID, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.books.Exec(t.Context(), "UPDATE cart_items SET updated_at = now() - interval '31 days' WHERE guest "+
		"IS DISTINCT FROM 'new'"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Cart(t.Context(), shop.Owner{Guest: "used"}); err != nil { // looking at it is enough
		t.Fatal(err)
	}
	before := time.Now().Add(-shop.CartTTL)
	for _, want := range []int{2, 1, 0} {
		if n, err := b.DropGuestCarts(t.Context(), before, 2); err != nil || n != want {
			t.Fatalf("dropped %d, %v, want %d", n, err, want)
		}
	}
	for _, o := range owners[3:] {
		if c, err := b.Cart(t.Context(), o); err != nil || len(c.Items) != 1 {
			t.Errorf("cart of %+v is %+v, %v", o, c, err)
		}
	}
}

func TestDropSessions(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "")
	user, err := b.CreateUser(t.Context(), shop.User{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i, ttl := range []time.Duration{-time.Hour, -time.Minute, -time.Second, time.Hour} {
		if err := b.StartSession(t.Context(), shop.Session{
			ID: fmt.Sprint(i), UserID: user.ID, ExpiresAt: now.Add(ttl),
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{2, 1, 0} {
		if n, err := b.DropSessions(t.Context(), now, 2); err != nil || n != want {
			t.Fatalf("dropped %d, %v, want %d", n, err, want)
		}
	}
	if _, err := b.Session(t.Context(), "3"); err != nil {
		t.Errorf("a session that has not expired: %v", err)
	}
}

// TestSellingIsHot: an order's update of stock rewrites no index of products.
func TestSellingIsHot(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "")
	if err := b.Seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	user, err := b.CreateUser(t.Context(), shop.User{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	const orders = 50
	for i := range orders {
		if _, err := b.AddItem(t.Context(), shop.Owner{UserID: user.ID}, int64(i%5+1), 1); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.PlaceOrder(t.Context(), shop.OrderRequest{
			UserID: user.ID, Key: fmt.Sprint(i), TTL: time.Minute,
		}); err != nil {
			t.Fatal(err)
		}
	}
	b.Close() // a session reports its counts when it ends, at the latest
	var updates, hot int
	await(t, "the updates are counted", func() bool {
		err := b.books.QueryRow(t.Context(), "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = "+
			"'products'").Scan(&updates, &hot)
		return err == nil && updates >= orders
	})
	if hot < updates/2 { // not all: a page that is full moves a row
		t.Errorf("%d of %d updates are HOT", hot, updates)
	}
}
