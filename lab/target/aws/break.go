package aws

import (
	"context"
	"fmt"

	"shoplab/contract"
)

// Act is something that is done to a stage on AWS: it breaks a part and waits until the stage is whole again, or brings
// back what was stopped.
type Act string

// The acts.
const (
	ActKill            Act = "kill an instance"
	ActHang            Act = "have an instance hang" // on one server it hangs until ActKill
	ActRestartDatabase Act = "restart the database"
	ActCrashDatabase   Act = "crash the database" // on one server alone: RDS has no such thing
	ActEmptyCache      Act = "empty the cache"
	ActRestartProxy    Act = "restart the proxy"
	ActStopZone        Act = "stop a zone" // the database's, or that of the one server; until ActStartZone
	ActStartZone       Act = "start the zone again"
)

// Break carries out an act on the stage and returns what was done, in words.
func (s *site) Break(ctx context.Context, act Act) (done string, err error) {
	r := Request{Region: s.declared.Region, Root: s.stack.root, Stages: []string{s.declared.Name}, Act: act}
	r.Instances, _ = s.stack.capacity(contract.CapacityInstances)
	return done, s.account.ask(ctx, AskBreak, r, &done)
}

// Redeploy updates the stack with a new image, as pulumi up does, and returns what the image is then. image names one
// that lies in a registry already; "" has the stack built from a copy of the repository whose service differs.
func (s *site) Redeploy(ctx context.Context, image string) (string, error) {
	before := s.stack.output(contract.OutputImage)
	config, root := s.config, s.stack.root
	if image != "" {
		config = append(config[:len(config):len(config)], "shoplab:image="+image)
	} else {
		changed, remove, err := changedCopy(root)
		if err != nil {
			return "", err
		}
		defer remove()
		root = changed
	}
	if err := s.stack.update(ctx, root, config...); err != nil {
		return "", err
	}
	after := s.stack.output(contract.OutputImage)
	if after == before {
		return after, fmt.Errorf("the update deployed the same image, %s", after)
	}
	return after, nil
}
