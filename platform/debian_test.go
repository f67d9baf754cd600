package platform

import (
	"maps"
	"strings"
	"testing"
)

// TestNewImageReplacesNothing: an image that Debian publishes between two deployments changes nothing. Who names
// another build, or another architecture, gets the image that is there then.
func TestNewImageReplacesNothing(t *testing.T) {
	for _, stack := range []string{"stage1", "stage2", "stage4"} {
		t.Run(stack, func(t *testing.T) {
			config := operator(stack)
			if config == nil {
				config = map[string]string{}
			}
			config["shoplab:image"] = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop@sha256:" + strings.Repeat("a", 64)
			update := func(before *recorder, image string, change map[string]string) *recorder {
				values := maps.Clone(config)
				maps.Copy(values, change)
				r := &recorder{
					before: before, answers: map[string]map[string]any{"aws:ssm/getParameter:getParameter": {"value": image}},
				}
				deployTo(t, stack, t.TempDir(), r, values)
				return r
			}
			first := update(nil, "ami-1", nil)
			unchanged := update(first, "ami-2", nil)
			if string(golden(t, unchanged)) != string(golden(t, first)) {
				t.Error("the resources differ though only Debian's image does")
			}
			for _, change := range []map[string]string{
				{"shoplab:debian": "13/20261101-1"}, {"shoplab:architecture": "amd64", "shoplab:instanceType": "t3.large"},
			} {
				if got := update(unchanged, "ami-3", change).images(); got != "ami-3" {
					t.Errorf("with %v servers start from %s, want ami-3", change, got)
				}
			}
			if got := unchanged.images(); got != "ami-1" {
				t.Errorf("servers start from %s, want the first image, ami-1", got)
			}
		})
	}
}

// images are those that servers start from.
func (r *recorder) images() string {
	var all []string
	for _, res := range r.resources {
		switch res.Type {
		case "aws:ec2/instance:Instance":
			all = append(all, res.text("ami"))
		case "aws:ec2/launchTemplate:LaunchTemplate":
			all = append(all, res.text("imageId"))
		}
	}
	return strings.Join(all, " ")
}
