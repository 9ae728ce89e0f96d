// SPDX-License-Identifier: Apache-2.0

//go:build leakprofile

package common

import "runtime/pprof"

// profiles of what is open, with the stacks that opened it; net/http/pprof
// serves them with the others.
var profiles = map[string]*pprof.Profile{
	"engines":  pprof.NewProfile("anyinfer.engines"),
	"models":   pprof.NewProfile("anyinfer.models"),
	"sessions": pprof.NewProfile("anyinfer.sessions"),
}

// track counts l among what is open of that kind, until untrack.
func (l *lifetime) track(kind string) { profiles[kind].Add(l, 2) }

func (l *lifetime) untrack() {
	for _, p := range profiles {
		p.Remove(l)
	}
}
