package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"shoplab/contract"
	"shoplab/service/postgres"
	"shoplab/service/redis"
)

// What is registered here, beside what package api counts and Go's own go_* and process_*:
//
//	shoplab_build_info{version}                     1
//	shoplab_db_pool_acquired, _idle, _total, _max   connections now
//	shoplab_db_pool_acquires_total                  successful acquires
//	shoplab_db_pool_acquire_seconds_total           time spent in them
//	shoplab_db_pool_empty_acquires_total            acquires that had to wait for a connection
//	shoplab_db_pool_empty_acquire_wait_seconds_total  time that those waited
//	shoplab_db_pool_held_seconds_total              time that connections were used, counted when they are given back
//	shoplab_db_pool_canceled_acquires_total         waits that were given up: the pool was exhausted
//	shoplab_db_lock_timeouts_total                  transactions that gave up waiting for a lock
//	shoplab_db_round_trips_total                    times that the database was asked: statements, batches once
//	shoplab_redis_up                                1 or 0
//	shoplab_redis_pool_total, _idle                 connections now
//	shoplab_redis_pool_timeouts_total               waits for a connection that were given up
//	shoplab_cgroup_periods_total                    CFS periods of the control group, if it has a quota
//	shoplab_cgroup_throttled_periods_total          of those, in which it was throttled
//	shoplab_cgroup_throttled_seconds_total          for how long, over all CPUs

// registerProcess registers what is known of the process.
func registerProcess(r prometheus.Registerer, version string) {
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: contract.Metric("build_info"), Help: "Always 1.", ConstLabels: prometheus.Labels{"version": version},
		}, func() float64 { return 1 }))
	if file := cpuStat("/proc/self/cgroup", "/sys/fs/cgroup"); file != "" {
		stat := func(field string) func() float64 { return func() float64 { return cpuStatField(file, field) } }
		counter(r, "cgroup_periods_total", "CFS periods.", stat("nr_periods"))
		counter(r, "cgroup_throttled_periods_total", "CFS periods in which the control group was throttled.",
			stat("nr_throttled"))
		micro, nano := stat("throttled_usec"), stat("throttled_time") // v2, v1
		counter(r, "cgroup_throttled_seconds_total",
			"Time throttled, over all CPUs.", func() float64 { return micro()/1e6 + nano()/1e9 })
	}
}

// registerDatabase registers the pool's numbers.
func registerDatabase(r prometheus.Registerer, db *postgres.DB) {
	gauge(r, contract.MetricPoolAcquired, "Database connections in use; all of them while writes wait for one.",
		func() float64 { return float64(db.Stat().AcquiredConns()) })
	gauge(r, "db_pool_idle", "Database connections not in use.", func() float64 { return float64(db.Stat().IdleConns()) })
	gauge(r, "db_pool_total", "Database connections, those being made included.", func() float64 {
		return float64(db.Stat().TotalConns())
	})
	gauge(r, contract.MetricPoolMax, "Database connections allowed.", func() float64 {
		return float64(db.Stat().MaxConns())
	})
	counter(r, contract.MetricPoolAcquires, "Successful acquires.", func() float64 {
		return float64(db.Stat().AcquireCount())
	})
	counter(r, "db_pool_acquire_seconds_total",
		"Time spent in successful acquires.", func() float64 { return db.Stat().AcquireDuration().Seconds() })
	counter(r, "db_pool_empty_acquires_total",
		"Acquires that had to wait.", func() float64 { return float64(db.Stat().EmptyAcquireCount()) })
	counter(r, contract.MetricPoolWaitSeconds,
		"Time that acquires had to wait.", func() float64 { return db.Stat().EmptyAcquireWaitTime().Seconds() })
	counter(r, contract.MetricPoolHeldSeconds, "Time that connections were used, counted when they are given back.",
		func() float64 { return db.Stat().HeldTime().Seconds() })
	counter(r, contract.MetricPoolCanceledWaits, "Waits that were given up: the pool was exhausted.",
		func() float64 { return float64(db.Stat().CanceledAcquireCount()) })
	counter(r, contract.MetricRoundTrips, "Times that the database was asked: statements, and batches of them once.",
		func() float64 { return float64(db.Stat().RoundTripCount()) })
	counter(r, "db_lock_timeouts_total", "Transactions that gave up waiting for a lock.", func() float64 {
		return float64(db.Stat().LockTimeoutCount())
	})
}

// registerRedis registers the client's numbers.
func registerRedis(r prometheus.Registerer, c *redis.Client) {
	gauge(r, "redis_up", "Whether Redis answers.", func() float64 {
		if c.Up() {
			return 1
		}
		return 0
	})
	gauge(r, "redis_pool_total", "Redis connections.", func() float64 { return float64(c.PoolStats().TotalConns) })
	gauge(r, "redis_pool_idle", "Redis connections not in use.", func() float64 {
		return float64(c.PoolStats().IdleConns)
	})
	counter(r, "redis_pool_timeouts_total", "Waits for a Redis connection that were given up.", func() float64 {
		return float64(c.PoolStats().Timeouts)
	})
}

func gauge(r prometheus.Registerer, name, help string, value func() float64) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: contract.MetricsNamespace, Name: name, Help: help,
	}, value))
}

func counter(r prometheus.Registerer, name, help string, value func() float64) {
	r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: contract.MetricsNamespace, Name: name, Help: help,
	}, value))
}

// cpuStat finds the cpu.stat of the process's control group: version 2 or 1, seen from the host or
// from inside a container, where the group is the root of what is mounted. "" if there is none.
func cpuStat(self, root string) string {
	groups, err := os.ReadFile(self)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(groups)) { // "hierarchy:controllers:path"
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 || part[1] != "" && !strings.Contains(","+part[1]+",", ",cpu,") {
			continue
		}
		for _, file := range []string{
			filepath.Join(root, part[1], part[2], "cpu.stat"), filepath.Join(root, "cpu", part[2], "cpu.stat"),
			filepath.Join(root, part[1], "cpu.stat"), filepath.Join(root, "cpu", "cpu.stat"),
		} {
			if b, err := os.ReadFile(file); err == nil && bytes.Contains(b, []byte("nr_periods")) {
				return file
			}
		}
	}
	return ""
}

// cpuStatField is a field of a cpu.stat, 0 if it is not there.
func cpuStatField(file, field string) float64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseFloat(value, 64); name == field && err == nil {
			return n
		}
	}
	return 0
}
