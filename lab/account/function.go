package main

import (
	"time"

	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// functionSeries are the metrics of a Lambda function, by the statistics by which AWS says to view them. Its CPU is not
// among them: an execution environment that handles an event is in use, whatever it does. Duration is what AWS bills
// but for the rounding and the initialization of a cold start.
func functionSeries(name string, st stage.Stage) []series {
	const duration = "Duration" // it has a point for each minute with an event
	of := func(metric, statistic string, scale float64, u result.Usage) series {
		return series{
			namespace: "AWS/Lambda", name: metric, dimensions: map[string]string{"FunctionName": name},
			statistic: statistic, period: time.Minute, scale: scale, usage: u,
		}
	}
	count := func(metric string, r result.Resource) series {
		s := of(metric, "Sum", 1.0/60, result.Usage{Resource: r, Unit: "1/s"})
		s.counted = duration
		return s
	}
	return []series{
		of(duration, "", 1, result.Usage{Resource: result.ResourceFunctionTime, Unit: "ms"}),
		of("ConcurrentExecutions", "Maximum", 1, result.Usage{
			Resource: result.ResourceConcurrency, Unit: "environments", Limit: result.Ptr(float64(st.MaxInstances)),
		}),
		count("Throttles", result.ResourceThrottles),
		count("Errors", result.ResourceEventErrors),
	}
}
