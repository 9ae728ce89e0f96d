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

// opened counts l among the open ones of that kind, gone no more.
func (l *lifetime) opened(kind string) { profiles[kind].Add(l, 2) }

func (l *lifetime) gone() {
	for _, p := range profiles {
		p.Remove(l)
	}
}
