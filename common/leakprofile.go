// SPDX-License-Identifier: Apache-2.0

//go:build leakprofile

package common

import "runtime/pprof"

// profiles have the stacks that opened resources which are still open;
// net/http/pprof serves them with the standard profiles.
var profiles = map[string]*pprof.Profile{
	"engines":  pprof.NewProfile("anyinfer.engines"),
	"models":   pprof.NewProfile("anyinfer.models"),
	"sessions": pprof.NewProfile("anyinfer.sessions"),
}

// track adds l to the profile of that kind, until untrack.
func (l *lifetime) track(kind string) { profiles[kind].Add(l, 2) }

func (l *lifetime) untrack() {
	for _, p := range profiles {
		p.Remove(l)
	}
}
