package boot

import (
	"encoding/json"
	"fmt"
)

// logs are what the CloudWatch agent ships besides cloud-init's own output: units' journals, and files by their
// paths.
type logs struct {
	units, files []string
}

// agentConfig are the CloudWatch agent's two configuration files, both JSON.
type agentConfig struct {
	// Files is in the agent's own format.
	Files string
	// Journal is a configuration of OpenTelemetry's collector, which the agent adds to what it makes of Files. It
	// says what the agent makes of a section journald, but for one thing that the agent's own format cannot say:
	// to begin with the first entry of the journal, not where it stands when the agent is installed, minutes
	// after the shop's first entries. {instance_id} is for the server to fill in.
	// Source: amazon-cloudwatch-agent v1.300071.0, translator/tocwconfig/sampleConfig/journaldlogs_units.yaml.
	Journal string
}

// agentConfig names a group that exists and no retention: the agent may neither create a group nor change one.
// Entries of the journal arrive as JSON with all fields of the journal, in a stream for each instance.
func (l logs) agentConfig(region, group string) (agentConfig, error) {
	var files []map[string]any
	for _, path := range append([]string{"/var/log/cloud-init-output.log"}, l.files...) {
		// With publish_multi_logs every file that the pattern matches is shipped, not just the newest,
		// each to a stream of its own.
		files = append(files, map[string]any{
			"log_group_name": group, "file_path": path, "log_stream_name": "{instance_id}", "publish_multi_logs": true,
		})
	}
	own, err := json.Marshal(map[string]any{
		"agent": map[string]any{"run_as_user": "root"}, // to read the journal
		"logs":  map[string]any{"logs_collected": map[string]any{"files": map[string]any{"collect_list": files}}},
	})
	if err != nil {
		return agentConfig{}, fmt.Errorf("write the CloudWatch agent's configuration: %w", err)
	}
	journal, err := json.Marshal(map[string]any{
		"extensions": map[string]any{"file_storage/shop": map[string]any{ // remembers how far it has read
			"directory": "/var/lib/shop-journal", "create_directory": true,
		}},
		"receivers": map[string]any{"journald/shop": map[string]any{
			"start_at": "beginning", "units": l.units, "priority": "info", "storage": "file_storage/shop",
		}},
		"processors": map[string]any{"batch/shop": map[string]any{"timeout": "5s"}},
		"exporters": map[string]any{"awscloudwatchlogs/shop": map[string]any{
			"region": region, "log_group_name": group, "log_stream_name": "{instance_id}",
		}},
		"service": map[string]any{
			"extensions": []string{"file_storage/shop"},
			"pipelines": map[string]any{"logs/shop": map[string]any{
				"receivers": []string{"journald/shop"}, "processors": []string{"batch/shop"},
				"exporters": []string{"awscloudwatchlogs/shop"},
			}},
		},
	})
	if err != nil {
		return agentConfig{}, fmt.Errorf("write the CloudWatch agent's configuration of the journal: %w", err)
	}
	return agentConfig{string(own), string(journal)}, nil
}
