package cost

import (
	"regexp"
	"slices"
	"strconv"
)

// functionLogBytes is what Lambda itself writes into the log for an event: the lines START, END and REPORT, as long as
// in the sample of "Sending Lambda function logs to CloudWatch Logs" of AWS's developer guide. A system log level of
// WARN, which only the format JSON has, leaves them out.
const functionLogBytes = 265

// function is a Lambda function. Reserved concurrency is free: it only keeps others from using it.
func function(b *bill, r Resource) {
	memory, ok1 := b.number(r, 128, "memorySize")
	disk, ok2 := b.number(r, 512, "ephemeralStorage", "size")
	arch, ok3 := b.architecture(r)
	if !ok1 || !ok2 || !ok3 {
		return
	}
	requests, given1 := b.events(r)
	if !given1 {
		b.metered(r, "lambda/requests", "monthly_requests", 1e6)
	} else {
		b.used(r, "lambda/requests", requests/1e6)
	}
	if level, ok := b.text(r, "INFO", "loggingConfig", "systemLogLevel"); ok && given1 && level != "WARN" && b.serving(r) {
		b.used(r, "logs/gb", requests*functionLogBytes/1e9)
	}
	ms, given2 := b.usage.amount(r, "request_duration_ms")
	if !given2 && given1 && b.serving(r) {
		ms, given2 = 1000*b.usage.FunctionSeconds, true
	}
	if !given1 || !given2 {
		if !given2 {
			b.unpriced(r, "request_duration_ms is not given in a usage file")
		}
		return
	}
	seconds := requests * ms / 1000
	b.used(r, "lambda/"+arch+"/gb-s", seconds*memory/1024)
	if disk > 512 {
		b.used(r, "lambda/storage", seconds*(disk-512)/1024)
	}
}

// serving says that a function serves the stack's requests: an HTTP API hands them on to it, or to an alias of it.
func (b *bill) serving(f Resource) bool {
	for _, i := range b.graph.ofType("aws:apigatewayv2/integration:Integration") {
		to, found := b.graph.referred(i, functionType, "integrationUri")
		if alias, ok := b.graph.referred(i, "aws:lambda/alias:Alias", "integrationUri"); ok && !found {
			to, found = b.graph.referred(alias, functionType, "functionName")
		}
		if found && to.Name == f.Name {
			return true
		}
	}
	return false
}

// events is how many a function gets in a month: what a usage file says, or its share of the stack's requests and all
// that the stack's schedules send.
func (b *bill) events(r Resource) (float64, bool) {
	if amount, ok := b.usage.amount(r, "monthly_requests"); ok || !b.serving(r) {
		return amount, ok
	}
	events := b.usage.Requests
	for _, s := range b.graph.ofType(scheduleType) {
		if n, ok := b.occasions(s); ok {
			events += n
		}
	}
	functions := 0
	for _, f := range b.graph.ofType(functionType) {
		if b.serving(f) {
			functions++
		}
	}
	return events / float64(functions), true
}

// schedule is a schedule of EventBridge Scheduler, billed for each time that it comes.
func schedule(b *bill, r Resource) {
	if n, ok := b.occasions(r); ok {
		b.used(r, "scheduler/invocations", n/1e6)
		return
	}
	b.metered(r, "scheduler/invocations", "monthly_invocations", 1e6)
}

// rate is the expression of a schedule that comes at regular intervals.
var rate = regexp.MustCompile(`^rate\((\d+) (minute|hour|day)s?\)$`)

// occasions is how often a schedule comes in a month.
func (b *bill) occasions(r Resource) (float64, bool) {
	if n, ok := b.usage.amount(r, "monthly_invocations"); ok {
		return n, true
	}
	expression, _ := b.text(r, "", "scheduleExpression")
	found := rate.FindStringSubmatch(expression)
	if found == nil {
		return 0, false
	}
	every, err := strconv.ParseFloat(found[1], 64)
	if err != nil || every == 0 {
		return 0, false
	}
	return HoursPerMonth * map[string]float64{"minute": 60, "hour": 1, "day": 1.0 / 24}[found[2]] / every, true
}

func (b *bill) architecture(r Resource) (string, bool) {
	v := r.at("architectures")
	if v.hidden != "" {
		b.unpriced(r, "its architecture %s", v.hidden)
		return "", false
	}
	if list, _ := v.raw.([]any); slices.Contains(list, any("arm64")) {
		return "arm", true
	}
	return "x86", true
}

// provisioned is capacity of a function that is kept warm. What runs on it costs less than Lambda's usual
// duration, which is not taken off.
func provisioned(b *bill, r Resource) {
	n, ok := b.required(r, asNumber, "provisionedConcurrentExecutions")
	f, found := b.graph.referred(r, functionType, "functionName")
	if !ok {
		return
	}
	if !found {
		b.unpriced(r, "its function is not in the graph")
		return
	}
	f = named(f, r)
	memory, ok1 := b.number(f, 128, "memorySize")
	arch, ok2 := b.architecture(f)
	if ok1 && ok2 {
		b.charge(r, "lambda/provisioned/"+arch, n*memory/1024*HoursPerMonth*3600)
	}
}

// api is an API of API Gateway's second version: HTTP or WebSocket.
func api(b *bill, r Resource) {
	protocol, ok := b.given(r, "protocolType")
	if !ok {
		return
	}
	if protocol == "WEBSOCKET" {
		b.metered(r, "apigateway/message", "monthly_messages", 1e6)
		b.metered(r, "apigateway/minutes", "monthly_connection_mins", 1e6)
		return
	}
	// As a load balancer's, its requests are the stack's if nothing else is said.
	requests, given := b.usage.amount(r, "monthly_requests")
	if !given {
		requests = b.usage.Requests / b.sharing(apiType)
	}
	b.used(r, "apigateway/http", requests/1e6)
}

func queue(b *bill, r Resource) {
	item := "sqs/standard"
	if b.is(r, "fifoQueue") {
		item = "sqs/fifo"
	}
	b.metered(r, item, "monthly_requests", 1e6)
}

// topic is billed for what is published. What is delivered depends on its subscriptions: to SQS and Lambda
// it is free, and so are the first 1,000 e-mails.
func topic(b *bill, r Resource) {
	if b.is(r, "fifoTopic") {
		b.unpriced(r, "FIFO topics are not priced")
		return
	}
	for _, s := range b.graph.ofType("aws:sns/topicSubscription:TopicSubscription") {
		protocol, ok := b.text(s, "", "protocol")
		if ok && !slices.Contains([]string{"sqs", "lambda", "email", "email-json"}, protocol) {
			b.unpriced(s, "deliveries by %s are not priced", protocol)
		}
	}
	b.metered(r, "sns/requests", "monthly_requests", 1e6)
}

func stream(b *bill, r Resource) {
	mode, ok := b.text(r, "PROVISIONED", "streamModeDetails", "streamMode")
	if !ok {
		return
	}
	if hours, ok := b.number(r, 24, "retentionPeriod"); ok && hours > 24 {
		b.unpriced(r, "retention beyond 24 hours is not priced")
	}
	if mode == "ON_DEMAND" {
		b.hours(r, "kinesis/on-demand", 1)
		b.metered(r, "kinesis/in", "monthly_data_in_gb", 1)
		b.metered(r, "kinesis/out", "monthly_data_out_gb", 1)
		return
	}
	if shards, ok := b.required(r, asNumber, "shardCount"); ok {
		b.hours(r, "kinesis/shard", shards)
	}
	b.metered(r, "kinesis/put", "monthly_put_units", 1e6)
}
