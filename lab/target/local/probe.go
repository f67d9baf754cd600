package local

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2/proto"
	"github.com/jackc/pgx/v5"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/procfs"

	"shoplab/contract"
	"shoplab/lab/lambda"
	"shoplab/lab/result"
	"shoplab/lab/twin"
	"shoplab/lab/watch"
)

// twinProbes watches everything in a twin.
func twinProbes(t *twin.Twin) []watch.Probe {
	probes := []watch.Probe{databaseProbe(t), redisProbe(t.RedisURL()), watch.Machine()}
	if t.Function != nil {
		probes = append(probes, functionProbe(t))
	}
	for _, i := range t.Instances {
		if i.AdminURL != "" {
			probes = append(probes, shopProbe(i))
		}
		probes = append(probes, groupProbe(&i.Part, result.ResourceInstanceCPU, result.ResourceMemory))
	}
	probes = append(probes, StageProbe(t))
	for _, m := range t.Machines {
		probes = append(probes, groupProbe(&twin.Part{Name: m.Name, Group: m}, result.ResourceServerCPU,
			result.ResourceMemory))
	}
	probes = append(probes,
		groupProbe(t.Postgres, result.ResourceDBCPU, ""), groupProbe(t.Redis, result.ResourceRedisCPU, ""))
	for i, p := range apart(t.Proxies) {
		resource := result.ResourceProxyCPU
		if i > 0 {
			resource = result.ResourceSidecarCPU
		}
		probes = append(probes, groupProbe(p, resource, ""))
	}
	if t.Pooler != nil {
		probes = append(probes, groupProbe(t.Pooler, result.ResourceProxyCPU, ""))
	}
	return probes
}

// apart are the proxies to watch. Those of one control group are watched once and by its name: of the group is known
// what all of them used together, and not what each did.
func apart(proxies []*twin.Part) []*twin.Part {
	var all []*twin.Part
	seen := map[*twin.Group]int{}
	for _, p := range proxies {
		if i, shared := seen[p.Group]; p.Group != nil && shared {
			all[i] = &twin.Part{Name: p.Group.Name, Group: p.Group}
			continue
		}
		seen[p.Group] = len(all)
		all = append(all, p)
	}
	return all
}

// StageProbe watches what everything in a twin uses together; nothing where this machine permits no groups.
func StageProbe(t *twin.Twin) watch.Probe {
	if t.Whole == nil {
		return func(context.Context) []watch.Reading { return nil }
	}
	return groupProbe(&twin.Part{Name: t.Whole.Name, Group: t.Whole}, result.ResourceStageCPU, "")
}

// groupProbe reads CPU, throttling and memory of a part's control group; without one, the CPU of
// its process and of its children.
func groupProbe(p *twin.Part, cpu, memory result.Resource) watch.Probe {
	var used, periods, throttled watch.Rate
	return func(context.Context) []watch.Reading {
		if p.Group == nil {
			seconds, ok := processCPU(p.PID)
			if cores, grew := used.Next(seconds); ok && grew {
				return []watch.Reading{{Resource: cpu, Of: p.Name, Unit: "cores", Value: cores}}
			}
			return nil
		}
		u, err := p.Group.Usage()
		if err != nil {
			return nil
		}
		var all []watch.Reading
		if cores, ok := used.Next(u.CPU.Seconds()); ok {
			all = append(all, watch.Reading{Resource: cpu, Of: p.Name, Unit: "cores", Limit: p.Group.CPULimit, Value: cores})
		}
		passed, ok := periods.Next(float64(u.Periods))
		stopped, ok2 := throttled.Next(float64(u.ThrottledPeriods))
		if ok && ok2 && passed > 0 {
			all = append(all, watch.Reading{
				Resource: result.ResourceThrottled, Of: p.Name, Unit: "ratio", Limit: 1, Value: stopped / passed,
			})
		}
		if memory != "" && u.Memory > 0 {
			all = append(all, watch.Reading{
				Resource: memory, Of: p.Name, Unit: "bytes", Limit: float64(p.Group.MemoryLimit), Value: float64(u.Memory),
			})
		}
		return all
	}
}

// processCPU is the CPU seconds of a process and its children so far; false where it cannot be
// known, which includes parts that run inside the laboratory.
func processCPU(pid int) (float64, bool) {
	if pid <= 0 || pid == os.Getpid() {
		return 0, false
	}
	all, err := procfs.AllProcs()
	if err != nil {
		return 0, false
	}
	seconds, found := 0.0, false
	for _, p := range all {
		stat, err := p.Stat()
		if err == nil && (p.PID == pid || stat.PPID == pid) {
			seconds, found = seconds+stat.CPUTime(), true
		}
	}
	return seconds, found
}

// shopProbe scrapes an instance's metrics.
func shopProbe(i *twin.Instance) watch.Probe {
	var held, waits, acquires, timeouts, trips watch.Rate
	client := &http.Client{}
	return func(ctx context.Context) []watch.Reading {
		families, err := scrape(ctx, client, i.AdminURL+contract.MetricsPath)
		if err != nil {
			return nil
		}
		var all []watch.Reading
		add := func(r result.Resource, unit string, value, limit float64) {
			all = append(all, watch.Reading{Resource: r, Of: i.Name, Unit: unit, Value: value, Limit: limit})
		}
		if busy, ok := metric(families, contract.Metric(contract.MetricPoolAcquired)); ok {
			limit, _ := metric(families, contract.Metric(contract.MetricPoolMax))
			add(result.ResourcePoolInUse, "connections", busy, limit)
		}
		if seconds, ok := metric(families, contract.Metric(contract.MetricPoolHeldSeconds)); ok {
			if r, grew := held.Next(seconds); grew {
				add(result.ResourcePoolHeld, "connections", r, 0)
			}
		}
		waited, ok := metric(families, contract.Metric(contract.MetricPoolWaitSeconds))
		taken, ok2 := metric(families, contract.Metric(contract.MetricPoolAcquires))
		waitRate, grew := waits.Next(waited)
		takeRate, grew2 := acquires.Next(taken)
		if ok && ok2 && grew && grew2 && takeRate > 0 {
			add(result.ResourcePoolWait, "ms", 1000*waitRate/takeRate, 0)
		}
		if given, ok := metric(families, contract.Metric(contract.MetricPoolCanceledWaits)); ok {
			if r, grew := timeouts.Next(given); grew {
				add(result.ResourcePoolTimeouts, "1/s", r, 0)
			}
		}
		if asked, ok := metric(families, contract.Metric(contract.MetricRoundTrips)); ok {
			if r, grew := trips.Next(asked); grew {
				add(result.ResourceRoundTrips, "1/s", r, 0)
			}
		}
		if n, ok := metric(families, contract.Metric(contract.MetricInFlight)); ok {
			add(result.ResourceInFlight, "requests", n, 0)
		}
		return all
	}
}

// functionProbe watches a function and counts its execution environments. Their pools are not asked: a frozen process
// does not answer, and each has as many connections as the pool that its one request may use.
func functionProbe(t *twin.Twin) watch.Probe {
	return functionReadings(t.Function.Stats, t.Stage.MaxInstances)
}

// functionReadings tells them of what was counted, and from the second time on what was throttled, what failed and how
// long an event took since the time before.
func functionReadings(stats func() lambda.Stats, reserved int) watch.Probe {
	var throttles, failures watch.Rate
	var before *lambda.Stats
	return func(context.Context) []watch.Reading {
		s := stats()
		all := []watch.Reading{{
			Resource: result.ResourceConcurrency, Unit: "environments", Value: float64(s.Busy), Limit: float64(reserved),
		}}
		if rate, ok := throttles.Next(float64(s.Throttles)); ok {
			all = append(all, watch.Reading{Resource: result.ResourceThrottles, Unit: "1/s", Value: rate})
		}
		if rate, ok := failures.Next(float64(s.Errors)); ok {
			all = append(all, watch.Reading{Resource: result.ResourceEventErrors, Unit: "1/s", Value: rate})
		}
		if before != nil && s.Invocations > before.Invocations {
			ms := float64((s.Billed - before.Billed).Microseconds()) / 1000 / float64(s.Invocations-before.Invocations)
			all = append(all, watch.Reading{Resource: result.ResourceFunctionTime, Unit: "ms", Value: ms})
		}
		before = &s
		return all
	}
}

// scrape reads metrics in Prometheus' text format.
func scrape(ctx context.Context, client *http.Client, url string) (map[string]*dto.MetricFamily, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scrape %s: %s", url, resp.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(resp.Body)
}

// metric is the sum of a gauge's or counter's series.
func metric(families map[string]*dto.MetricFamily, name string) (float64, bool) {
	f, ok := families[name]
	if !ok {
		return 0, false
	}
	sum := 0.0
	for _, m := range f.GetMetric() {
		sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
	}
	return sum, true
}

// databaseProbe asks PostgreSQL for its connections, through a connection of those that are kept for
// superusers, so that it gets through when the shop has taken all others.
func databaseProbe(t *twin.Twin) watch.Probe {
	var conn *pgx.Conn
	return func(ctx context.Context) []watch.Reading {
		if conn == nil || conn.IsClosed() {
			var err error
			if conn, err = pgx.Connect(ctx, t.PostgresAdminURL()); err != nil {
				return nil
			}
		}
		var open, active, waiting float64
		err := conn.QueryRow(ctx, `
			SELECT count(*), count(*) FILTER (WHERE state = 'active'), count(*) FILTER (WHERE wait_event_type = 'Lock')
			FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`).Scan(&open, &active,
			&waiting)
		if err != nil {
			return nil
		}
		limit := float64(t.Stage.DatabaseConnections)
		return []watch.Reading{
			{Resource: result.ResourceDBConns, Unit: "connections", Value: open, Limit: limit},
			{Resource: result.ResourceDBActive, Unit: "connections", Value: active, Limit: limit},
			{Resource: result.ResourceDBLockWaits, Unit: "connections", Value: waiting},
		}
	}
}

// redisProbe asks Redis for its connections. Its client is miniredis', which the twin has anyway: a whole client
// library, for one command, would take longer to compile than everything else here.
func redisProbe(address string) watch.Probe {
	at, err := url.Parse(address)
	if err != nil {
		return func(context.Context) []watch.Reading { return nil }
	}
	return func(ctx context.Context) []watch.Reading {
		info, err := redisInfo(ctx, at.Host)
		if err != nil {
			return nil
		}
		clients, err := strconv.ParseFloat(info["connected_clients"], 64)
		if err != nil {
			return nil
		}
		limit, _ := strconv.ParseFloat(info["maxclients"], 64) // 0 where it is not told: no limit
		return []watch.Reading{{Resource: result.ResourceRedisClients, Unit: "connections", Limit: limit, Value: clients - 1}}
	}
}

// redisInfo is what INFO clients answers. Once a second is seldom enough not to keep the connection.
func redisInfo(ctx context.Context, address string) (map[string]string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(redisPatience)); err != nil {
		return nil, err
	}
	reply, err := proto.NewClient(conn).Do("INFO", "clients")
	if err != nil {
		return nil, err
	}
	text, err := proto.ReadString(reply)
	if err != nil {
		return nil, err
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[key] = value
		}
	}
	return info, nil
}

// redisPatience is how long one reading may take: longer than that, and the next one is due.
const redisPatience = 3 * time.Second
