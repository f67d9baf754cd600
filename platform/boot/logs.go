package boot

import (
	"encoding/json"
	"fmt"
)

// logs are what the CloudWatch agent ships: units' journals, and files by their paths.
type logs struct {
	units, files []string
}

// agentConfig is the CloudWatch agent's configuration. It names a group that exists and no retention:
// the agent may neither create a group nor change one. Entries of the journal arrive as JSON with all
// fields of the journal, in a stream for each instance (the agent's default).
func (l logs) agentConfig(group string) (string, error) {
	type list struct {
		Collect []map[string]any `json:"collect_list"`
	}
	collected := map[string]list{}
	if len(l.units) > 0 {
		collected["journald"] = list{[]map[string]any{{"log_group_name": group, "units": l.units}}}
	}
	var files []map[string]any
	for _, path := range l.files {
		// With publish_multi_logs every file that the pattern matches is shipped, not just the newest,
		// each to a stream of its own.
		files = append(files, map[string]any{
			"log_group_name": group, "file_path": path, "log_stream_name": "{instance_id}", "publish_multi_logs": true,
		})
	}
	if len(files) > 0 {
		collected["files"] = list{files}
	}
	text, err := json.Marshal(map[string]any{
		"agent": map[string]any{"run_as_user": "root"}, // to read the journal
		"logs":  map[string]any{"logs_collected": collected},
	})
	if err != nil {
		return "", fmt.Errorf("write the CloudWatch agent's configuration: %w", err)
	}
	return string(text), nil
}
