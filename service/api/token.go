package api

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const issuer = "shoplab"

// What a token is for, as its audience: none is good for anything else.
const (
	forSession = "session"
	forDevice  = "device"
)

// sign makes a token: a signed statement with an id about a subject.
func (s *Server) sign(audience, id, subject string, expires time.Time) (string, error) {
	t, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: issuer, Audience: jwt.ClaimStrings{audience}, ID: id, Subject: subject,
		ExpiresAt: jwt.NewNumericDate(expires),
	}).SignedString(s.sessionKeys[0])
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return t, nil
}

// verify returns what the token says, and false if it is not one of ours for this audience, or no longer
// good. Any of the keys may have signed it.
func (s *Server) verify(audience, token string) (id, subject string, ok bool) {
	var claims jwt.RegisteredClaims
	keys := jwt.VerificationKeySet{}
	for _, key := range s.sessionKeys {
		keys.Keys = append(keys.Keys, key)
	}
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return keys, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired())
	return claims.ID, claims.Subject, err == nil && claims.ID != ""
}
