package sweep

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

// leaving is a resource that is to go.
type leaving struct {
	Resource
	asked   time.Time // zero while the deletion is not asked for
	belongs bool      // goes with what it belongs to
	refused bool      // AWS forbids it, or nobody knows how
}

// ask asks for the deletion of the resource, and keeps what AWS answers.
func (l *leaving) ask(ctx context.Context, cfg aws.Config) {
	kind, name := kindOf(l.ID)
	del, known := deletions[kind]
	if !known {
		l.refused, l.Reason = true, "lab sweep does not know how to delete this kind"
		return
	}
	err := errBelongs
	if del.ask != nil {
		err = del.ask(ctx, regional(cfg, l.ID), l.ID, name)
	}
	switch {
	case errors.Is(err, errBelongs):
		l.belongs, l.Reason = true, err.Error()
	case err == nil || notFound(err): // whether it is gone, its look says
		l.asked, l.refused, l.Reason = time.Now(), false, ""
		if err != nil {
			l.Reason = brief(err) // what AWS does not find may be something else than this
		}
	default:
		l.refused, l.Reason = forbidden(err), brief(err)
	}
}

// regional is the configuration for the region that an ARN names.
func regional(cfg aws.Config, arn string) aws.Config {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 && parts[3] != "" {
		cfg = cfg.Copy()
		cfg.Region = parts[3]
	}
	return cfg
}

// forbidden tells that AWS will not change its mind.
func forbidden(err error) bool {
	var refusal smithy.APIError
	if !errors.As(err, &refusal) {
		return false
	}
	code := refusal.ErrorCode()
	return strings.HasPrefix(code, "AccessDenied") || strings.HasPrefix(code, "Unauthorized") ||
		strings.HasPrefix(code, "NotAuthorized") ||
		code == "AuthFailure" || code == "OptInRequired" || strings.HasPrefix(code, "OperationNotPermitted")
}

// brief is AWS's own words, without what the client wraps around them.
func brief(err error) string {
	var refusal smithy.APIError
	if errors.As(err, &refusal) {
		return refusal.ErrorCode() + ": " + refusal.ErrorMessage()
	}
	return err.Error()
}
