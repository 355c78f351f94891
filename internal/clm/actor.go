package clm

import "slices"

// A PrincipalID names a user or a group; it is a GUID without braces.
type PrincipalID string

// An Actor is whoever asks for something. It is the second argument of every
// use case. What a token may do (its scopes) is the business of the edge that
// issued the token and is not part of it.
type Actor struct {
	ID      PrincipalID
	Name    string        // the user's name, for audit entries
	Groups  []PrincipalID // all groups, nested ones included
	Master  bool          // may do everything, everywhere
	Auditor bool          // may read everything, everywhere
	Via     string        // the way by which it asks, for audit entries: the API and what the client says of itself
}

// System is the actor of what the server does by itself.
var System = Actor{Name: "system", Master: true}

// Is reports whether the actor is the user, or in the group.
func (a Actor) Is(id PrincipalID) bool { return a.ID == id || slices.Contains(a.Groups, id) }
