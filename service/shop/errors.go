package shop

import (
	"errors"
	"fmt"
)

// Code names a kind of failure, stable for clients.
type Code string

// The codes that a client can meet. api maps each to one HTTP status.
const (
	CodeInvalid            Code = "VALIDATION_FAILED"
	CodeInvalidCursor      Code = "INVALID_CURSOR"
	CodeUnauthenticated    Code = "UNAUTHENTICATED"
	CodeInvalidCredentials Code = "INVALID_CREDENTIALS"
	CodeForbidden          Code = "FORBIDDEN"
	CodeNotFound           Code = "NOT_FOUND"
	CodeEmailTaken         Code = "EMAIL_TAKEN"
	CodeEmptyCart          Code = "EMPTY_CART"
	CodeOutOfStock         Code = "OUT_OF_STOCK"
	CodePriceChanged       Code = "PRICE_CHANGED"
	CodeTotalTooSmall      Code = "TOTAL_TOO_SMALL"
	CodeTotalTooLarge      Code = "TOTAL_TOO_LARGE"
	CodeHoldLimit          Code = "HOLD_LIMIT"
	CodeOrderNotPending    Code = "ORDER_NOT_PENDING"
	CodeIdempotencyKey     Code = "IDEMPOTENCY_KEY_REQUIRED"
	CodeKeyReused          Code = "IDEMPOTENCY_KEY_REUSED"
	CodeBadSignature       Code = "BAD_SIGNATURE"
	CodeEventRefused       Code = "EVENT_REFUSED"
	CodeWebhooksOff        Code = "WEBHOOKS_OFF"
	CodeRateLimited        Code = "RATE_LIMITED"
	CodeOverloaded         Code = "OVERLOADED"
	CodeBusy               Code = "BUSY"
	CodePaymentUnavailable Code = "PAYMENT_UNAVAILABLE"
	CodeInternal           Code = "INTERNAL"
)

// Error is a failure that a client may see. Anything else is internal: logged, never shown.
type Error struct {
	Code   Code
	Detail string
	// Fields holds one entry per invalid input field.
	Fields []FieldError
	// Extra members of the problem document, such as product_id and available for OUT_OF_STOCK.
	Extra map[string]any
	// Err is the cause, if there is one: for the log, never shown.
	Err error
}

// FieldError says what is wrong with one input field.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (e *Error) Error() string {
	if e.Err != nil {
		return string(e.Code) + ": " + e.Detail + ": " + e.Err.Error()
	}
	return string(e.Code) + ": " + e.Detail
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error with a formatted detail.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of err, CodeInternal for an error that is not an *Error, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
