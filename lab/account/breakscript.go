package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"shoplab/contract"
)

// What runs on a server, as root. The shop's process is called shop, in a container or not; the oldest one is taken.
const (
	stopProcess = "pid=$(pgrep -o -x shop)\nkill -STOP $pid\n"
	killProcess = "pid=$(pgrep -o -x shop)\nkill -KILL $pid\n" + awaitEnd
	awaitEnd    = "while [ -d /proc/$pid ]; do sleep 0.2; done\n"

	// On one server of everything, systemd starts again what has ended. The database's unit is Debian's.
	databaseUnit    = "postgresql@17-main.service"
	restartPostgres = "systemctl restart " + databaseUnit + "\n" + awaitPostgres
	awaitPostgres   = "until pg_isready -q; do sleep 0.2; done\n"
	crashPostgres   = "systemctl kill --kill-whom=main --signal=QUIT " + databaseUnit + "\n" + endOfPostgres
	endOfPostgres   = "while systemctl is-active -q " + databaseUnit + "; do sleep 0.2; done\nsystemctl reset-failed " +
		databaseUnit + "\n" + startAgain
	startAgain   = "systemctl start " + databaseUnit + "\n" + awaitPostgres
	restartRedis = "systemctl stop redis-server\nrm -f /var/lib/redis/dump.rdb\nsystemctl start redis-server\n" +
		"until redis-cli ping; do sleep 0.2; done\n"
	killNginx  = "old=$(systemctl show -P MainPID nginx)\nkill -KILL $old\n" + awaitNginx
	awaitNginx = "until new=$(systemctl show -P MainPID nginx); [ $new != 0 ] && [ $new != $old ] && " +
		"systemctl is-active -q nginx; do sleep 0.2; done\n"
	kubectl       = "k3s kubectl "
	deleteShopPod = kubectl + "-n shop delete --force --grace-period=0 $(" + kubectl +
		"-n shop get pods -l app=shop -o name | head -n 1)\n" + awaitPods
	awaitPods        = kubectl + "-n shop rollout status deployment/shop --timeout=15m\n"
	deleteGatewayPod = kubectl + "-n istio-ingress delete pods --force --grace-period=0 -l istio=gateway\n" +
		kubectl + "-n istio-ingress rollout status deployment/istio-gateway --timeout=15m\n"
)

// awaitReady waits until the shop on a server serves.
var awaitReady = fmt.Sprintf("until curl -fsS -o /dev/null http://127.0.0.1:%d%s; do sleep 0.2; done\n",
	contract.Port, contract.ReadyPath)

// scriptSeconds is how long a script may take.
const scriptSeconds = 1200

// run runs a script on the stage's server.
func (b breaker) run(ctx context.Context, script string) (string, error) {
	server, err := b.server(ctx)
	if err != nil {
		return "", err
	}
	return b.runOn(ctx, server, script)
}

// runOn runs a script on a server by Systems Manager's Run Command, to its end. What Session Manager asks of a
// server is enough: since version 3.3.40.0 its agent gets commands through ssmmessages, too. Source: AWS Systems
// Manager User Guide, "Improve the security of EC2 instances by using VPC endpoints".
func (b breaker) runOn(ctx context.Context, server, script string) (string, error) {
	client := ssm.NewFromConfig(b.cfg)
	sent, err := client.SendCommand(ctx, &ssm.SendCommandInput{
		DocumentName: awssdk.String("AWS-RunShellScript"), InstanceIds: []string{server},
		Comment: awssdk.String("shoplab: lab faults"),
		Parameters: map[string][]string{
			"commands":         append([]string{"set -eu"}, strings.Split(strings.TrimSpace(script), "\n")...),
			"executionTimeout": {fmt.Sprint(scriptSeconds)},
		},
	})
	if err != nil {
		return "", fmt.Errorf("run a command on %s (is its Systems Manager agent online?): %w", server, err)
	}
	in := &ssm.GetCommandInvocationInput{CommandId: sent.Command.CommandId, InstanceId: awssdk.String(server)}
	err = b.await(ctx, "wait for the command on "+server, func() (bool, error) {
		got, err := client.GetCommandInvocation(ctx, in)
		var early *ssmtypes.InvocationDoesNotExist
		switch {
		case errors.As(err, &early): // a moment after it was sent
			return false, nil
		case err != nil:
			return false, err
		}
		switch got.Status {
		case ssmtypes.CommandInvocationStatusSuccess:
			return true, nil
		case ssmtypes.CommandInvocationStatusPending, ssmtypes.CommandInvocationStatusInProgress,
			ssmtypes.CommandInvocationStatusDelayed:
			return false, nil
		}
		return false, fmt.Errorf("it ended as %s: %s", got.Status,
			strings.TrimSpace(awssdk.ToString(got.StandardErrorContent)))
	})
	first, _, _ := strings.Cut(script, "\n")
	return fmt.Sprintf("on %s: %s ...", server, first), err
}
