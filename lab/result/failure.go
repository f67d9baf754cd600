package result

// Failure is a part of a stage that may be gone, and what the shop is without it, as far as the resource graph
// says it. Nothing was broken to find out.
type Failure struct {
	Of       string `json:"of"`    // "a server", "the database", "a zone"
	Count    int    `json:"count"` // how many there are of it
	Survived bool   `json:"survived"`
	Loss     string `json:"loss"` // "goes on", "down", "down until a person"
	Why      string `json:"why"`
}
