package awstest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// gaps answers in moto's place what moto 5.2 does not implement and the AWS provider asks for while it makes and
// deletes stage 3. Everything else goes on to moto.
type gaps struct {
	moto    http.Handler
	deleted sync.Map // names of what was deleted and moto keeps
}

// fillGaps serves an account of moto's without its gaps, until the end of the test.
func fillGaps(t *testing.T, endpoint string) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&gaps{moto: httputil.NewSingleHostReverseProxy(target)})
	t.Cleanup(server.Close)
	return server.URL
}

func (g *gaps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	form, _ := url.ParseQuery(string(body)) // of services that speak XML; nothing of those that speak JSON
	if g.tags(w, r.Header.Get("X-Amz-Target")) || g.cache(w, form) || g.endpoint(w, form) {
		return
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	g.moto.ServeHTTP(w, r)
}

// tags answers that there are none.
func (g *gaps) tags(w http.ResponseWriter, target string) bool {
	answer := map[string]string{
		"AWSBudgetServiceGateway.ListTagsForResource": `{"ResourceTags":[]}`,
		"AnyScaleFrontendService.ListTagsForResource": `{"Tags":{}}`,
	}[target]
	if answer == "" {
		return false
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_, _ = io.WriteString(w, answer)
	return true
}

// cache answers for ElastiCache: moto makes a replication group without its nodes, never finishes deleting it, and
// cannot delete a subnet group.
func (g *gaps) cache(w http.ResponseWriter, form url.Values) bool {
	node, group, subnets := form.Get("CacheClusterId"), form.Get("ReplicationGroupId"), form.Get("CacheSubnetGroupName")
	switch form.Get("Action") {
	case "DescribeCacheClusters":
		if node == "" {
			return false
		}
		w.Header().Set("Content-Type", "text/xml")
		_, _ = fmt.Fprintf(w, cacheCluster, node)
	case "DeleteReplicationGroup":
		g.deleted.Store(group, true)
		return false
	case "DescribeReplicationGroups":
		if _, deleted := g.deleted.Load(group); !deleted {
			return false
		}
		refuse(w, "ReplicationGroupNotFoundFault", group)
	case "DeleteCacheSubnetGroup":
		g.deleted.Store(subnets, true)
		w.Header().Set("Content-Type", "text/xml")
		_, _ = io.WriteString(w, `<DeleteCacheSubnetGroupResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/"/>`)
	case "DescribeCacheSubnetGroups":
		if _, deleted := g.deleted.Load(subnets); !deleted {
			return false
		}
		refuse(w, "CacheSubnetGroupNotFoundFault", subnets)
	default:
		return false
	}
	return true
}

// endpoint answers for a VPC endpoint, which moto lists for ever once it is deleted.
func (g *gaps) endpoint(w http.ResponseWriter, form url.Values) bool {
	id := form.Get("VpcEndpointId.1")
	switch form.Get("Action") {
	case "DeleteVpcEndpoints":
		g.deleted.Store(id, true)
	case "DescribeVpcEndpoints":
		if _, deleted := g.deleted.Load(id); deleted {
			refuse(w, "InvalidVpcEndpointId.NotFound", id)
			return true
		}
	}
	return false
}

// refuse answers that something is not there, in the form of EC2 and in that of the other services that speak XML.
func refuse(w http.ResponseWriter, code, name string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(http.StatusBadRequest)
	problem := fmt.Sprintf("<Error><Type>Sender</Type><Code>%s</Code><Message>no %s</Message></Error>", code, name)
	_, _ = fmt.Fprintf(w, "<ErrorResponse>%[1]s<Errors>%[1]s</Errors></ErrorResponse>", problem)
}

// cacheCluster is what ElastiCache says of a replication group's node.
const cacheCluster = `<DescribeCacheClustersResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/">
<DescribeCacheClustersResult><CacheClusters><CacheCluster><CacheClusterId>%[1]s</CacheClusterId>
<ARN>arn:aws:elasticache:us-east-1:123456789012:cluster:%[1]s</ARN><CacheClusterStatus>available</CacheClusterStatus>
<CacheNodeType>cache.t4g.micro</CacheNodeType><Engine>valkey</Engine><EngineVersion>8.0.1</EngineVersion>
<NumCacheNodes>1</NumCacheNodes><SnapshotRetentionLimit>0</SnapshotRetentionLimit>
</CacheCluster></CacheClusters></DescribeCacheClustersResult></DescribeCacheClustersResponse>`
