package shop

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// fieldsOf returns the names of the fields that err complains about.
func fieldsOf(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != CodeInvalid {
		t.Fatalf("error is %v", err)
	}
	var fields []string
	for _, f := range e.Fields {
		if f.Message == "" {
			t.Errorf("%s has no message", f.Field)
		}
		fields = append(fields, f.Field)
	}
	return fields
}

func TestRegistration(t *testing.T) {
	valid := Registration{Email: "ada@example.com", Password: "analytical engine", FirstName: "Ada", LastName: "Lovelace"}
	for name, tt := range map[string]struct {
		change func(*Registration)
		want   []string
	}{
		"valid":         {func(*Registration) {}, nil},
		"other scripts": {func(r *Registration) { r.FirstName, r.Password = "Σοφία", "πασχαλιά🌿" }, nil},
		"everything at once": {
			func(r *Registration) { *r = Registration{} }, []string{"email", "password", "first_name", "last_name"},
		},
		"no at":            {func(r *Registration) { r.Email = "ada.example.com" }, []string{"email"}},
		"no domain":        {func(r *Registration) { r.Email = "ada@" }, []string{"email"}},
		"no dot in domain": {func(r *Registration) { r.Email = "ada@localhost" }, []string{"email"}},
		"address literal":  {func(r *Registration) { r.Email = "ada@[127.0.0.1]" }, []string{"email"}},
		"with a name":      {func(r *Registration) { r.Email = "Ada <ada@example.com>" }, []string{"email"}},
		"two addresses":    {func(r *Registration) { r.Email = "a@example.com, b@example.com" }, []string{"email"}},
		"NUL in email":     {func(r *Registration) { r.Email = "a\x00@example.com" }, []string{"email"}},
		"email too long": {
			func(r *Registration) { r.Email = strings.Repeat("a", 250) + "@example.com" }, []string{"email"},
		},
		"7 characters":      {func(r *Registration) { r.Password = "engines" }, []string{"password"}},
		"8 characters":      {func(r *Registration) { r.Password = "engines!" }, nil},
		"8 long characters": {func(r *Registration) { r.Password = "пароли!!" }, nil},
		"128 characters":    {func(r *Registration) { r.Password = strings.Repeat("ab", 64) }, nil},
		"129 characters": {
			func(r *Registration) { r.Password = strings.Repeat("ab", 64) + "c" }, []string{"password"},
		},
		"one character":         {func(r *Registration) { r.Password = "zzzzzzzzzz" }, []string{"password"}},
		"common password":       {func(r *Registration) { r.Password = "Password123" }, []string{"password"}},
		"password is the email": {func(r *Registration) { r.Password = "Ada@example.com" }, []string{"password"}},
		"password is not UTF-8": {
			func(r *Registration) { r.Password = "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8" }, []string{"password"},
		},
		"blank name":             {func(r *Registration) { r.FirstName = " \t " }, []string{"first_name"}},
		"name of two lines":      {func(r *Registration) { r.LastName = "Love\nlace" }, []string{"last_name"}},
		"zero-width name":        {func(r *Registration) { r.FirstName = "\u200b" }, []string{"first_name"}},
		"joiners alone":          {func(r *Registration) { r.FirstName = "\u200c\u200d" }, []string{"first_name"}},
		"direction marks alone":  {func(r *Registration) { r.FirstName = "\u200e\u200f" }, []string{"first_name"}},
		"direction overridden":   {func(r *Registration) { r.LastName = "Love\u202elace" }, []string{"last_name"}},
		"blank Braille":          {func(r *Registration) { r.FirstName = "\u2800" }, []string{"first_name"}},
		"joiner in a name":       {func(r *Registration) { r.FirstName = "می\u200cنا" }, nil},
		"name is not UTF-8":      {func(r *Registration) { r.FirstName = "\xff" }, []string{"first_name"}},
		"hidden in email":        {func(r *Registration) { r.Email = "a\u200db@example.com" }, []string{"email"}},
		"name of 101 characters": {func(r *Registration) { r.LastName = strings.Repeat("ä", 101) }, []string{"last_name"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := valid
			tt.change(&r)
			_, err := r.Normalize()
			if got := fieldsOf(t, err); !slices.Equal(got, tt.want) {
				t.Errorf("invalid fields are %v, want %v", got, tt.want)
			}
		})
	}
	got, err := Registration{
		Email: " Ada@Example.COM ", Password: " spaces stay ", FirstName: " Ada ", LastName: "Lovelace\t",
	}.Normalize()
	if want := (Registration{"ada@example.com", " spaces stay ", "Ada", "Lovelace"}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// TestNormalizeRegistration: what is accepted is what was normalized already, and can be stored.
func TestNormalizeRegistration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ a-zA-Z.@\x00-]{0,40}`), rapid.Just("ada@example.com"))
		r, err := Registration{
			Email: text.Draw(t, "email"), Password: text.Draw(t, "password"),
			FirstName: text.Draw(t, "first"), LastName: text.Draw(t, "last"),
		}.Normalize()
		if err != nil {
			return
		}
		if again, err := r.Normalize(); err != nil || again != r {
			t.Fatalf("%+v becomes %+v, %v", r, again, err)
		}
		for _, s := range []string{r.Email, r.FirstName, r.LastName} {
			if !utf8.ValidString(s) || strings.Contains(s, "\x00") || s == "" {
				t.Fatalf("accepted %q", s)
			}
		}
	})
}

func TestProductQueryNormalize(t *testing.T) {
	q, err := ProductQuery{Search: "  desk\t lamp ", Category: " Desk "}.Normalize()
	if want := (ProductQuery{
		Search: "desk lamp", Category: "Desk", Sort: SortNewest, Limit: DefaultPageLimit,
	}); err != nil || q != want {
		t.Errorf("got %+v, %v, want %+v", q, err, want)
	}
	_, err = ProductQuery{
		Search: strings.Repeat("ä", 101), Category: strings.Repeat("c", 101), Sort: "cheap", Limit: 101,
	}.Normalize()
	if got, want := fieldsOf(t, err), []string{"q", "category", "sort", "limit"}; !slices.Equal(got, want) {
		t.Errorf("invalid fields are %v, want %v", got, want)
	}
	if got, want := (ProductQuery{Search: "Über-desk's (2)"}).Words(),
		[]string{"über", "desk", "s", "2"}; !slices.Equal(got, want) {
		t.Errorf("words are %q, want %q", got, want)
	}
	if got, want := (ProductQuery{Search: "C++ c# 1+1 ++ # A+"}).Words(),
		[]string{"cplusplus", "csharp", "1", "1", "a"}; !slices.Equal(got, want) {
		t.Errorf("words are %q, want %q", got, want)
	}
}

func TestPageLimit(t *testing.T) {
	for limit, want := range map[int]int{0: DefaultPageLimit, 1: 1, 100: 100} {
		if got, err := PageLimit(limit); err != nil || got != want {
			t.Errorf("PageLimit(%d) = %d, %v", limit, got, err)
		}
	}
	for _, limit := range []int{-1, 101} {
		if _, err := PageLimit(limit); CodeOf(err) != CodeInvalid {
			t.Errorf("PageLimit(%d) = %v", limit, err)
		}
	}
}

func TestValidateIdempotencyKey(t *testing.T) {
	for key, ok := range map[string]bool{
		"k": true, "0d3c0b9e-6f0e-4b39-9c37-2f0f7f3c8f11": true, strings.Repeat("k", 255): true,
		"": false, "a b": false, "a\x00": false, "ключ": false, strings.Repeat("k", 256): false,
	} {
		if err := ValidateIdempotencyKey(key); (err == nil) != ok {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

// FuzzRegistration: what a new account is called can be stored and seen.
func FuzzRegistration(f *testing.F) {
	f.Add("ada@example.com", "Ada", "Lovelace")
	f.Add("a\x00@example.com", "\u200b", "\u202eAda")
	f.Add(`"a b"@example.com`, "\xff", "م\u200cی")
	f.Fuzz(func(t *testing.T, email, first, last string) {
		r, err := Registration{Email: email, Password: "analytical engine", FirstName: first, LastName: last}.Normalize()
		if err != nil {
			if CodeOf(err) != CodeInvalid {
				t.Errorf("error is %v", err)
			}
			return
		}
		if again, err := r.Normalize(); err != nil || again != r {
			t.Errorf("%+v becomes %+v, %v", r, again, err)
		}
		for _, s := range []string{r.Email, r.FirstName, r.LastName} {
			seen := strings.ContainsFunc(s, func(c rune) bool {
				return unicode.IsGraphic(c) && !unicode.IsSpace(c) || c > unicode.MaxLatin1
			})
			if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || !seen {
				t.Errorf("accepted %q", s)
			}
		}
	})
}
