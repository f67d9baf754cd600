package complexity

import (
	"testing"

	"shoplab/lab/result"
)

func TestComplexityIsCountedFromTheSource(t *testing.T) {
	c := Count("../..", "stage1", "single", result.TargetAWS)
	if c.ConfigLines == nil || *c.ConfigLines < 5 || *c.ConfigLines > 30 {
		t.Errorf("config lines: %v", c.ConfigLines)
	}
	if c.StageLines == nil || *c.StageLines < 500 || *c.StageLines > 5000 {
		t.Errorf("stage lines: %v", c.StageLines)
	}
	if none := Count(t.TempDir(), "stage1", "single", result.TargetAWS); none.ConfigLines != nil ||
		none.Resources != nil || none.StageLines != nil {
		t.Errorf("counted out of nothing: %+v", none)
	}
}
