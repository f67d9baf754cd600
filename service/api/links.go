package api

import "github.com/danielgtaylor/huma/v2"

// links are what can be done with an answer, by the operations' ids, so that a program that reads the
// document finds its way from a product to a payment.
func links(operation string) map[string]*huma.Link {
	order := map[string]any{"id": "$response.body#/id"}
	line := map[string]any{"product_id": "$response.body#/items/0/product_id"}
	switch operation {
	case "listProducts":
		return map[string]*huma.Link{
			"show": {OperationID: "getProduct", Parameters: map[string]any{"id": "$response.body#/items/0/id"}},
			"buy": {
				OperationID: "addItem", RequestBody: map[string]any{"product_id": "$response.body#/items/0/id", "quantity": 1},
			},
		}
	case "addItem", "setItem":
		return map[string]*huma.Link{
			"change": {OperationID: "setItem", Parameters: line},
			"remove": {OperationID: "removeItem", Parameters: line},
			"order":  {OperationID: "placeOrder"},
		}
	case "placeOrder":
		return map[string]*huma.Link{
			"show":   {OperationID: "getOrder", Parameters: order},
			"pay":    {OperationID: "startPayment", Parameters: order},
			"cancel": {OperationID: "cancelOrder", Parameters: order},
		}
	case "startPayment":
		return map[string]*huma.Link{
			"simulate": {OperationID: "simulatePayment", RequestBody: map[string]any{
				"client_secret": "$response.body#/client_secret", "outcome": "succeeded",
			}},
			"show": {OperationID: "getOrder", Parameters: map[string]any{"id": "$request.path.id"}},
		}
	}
	return nil
}
