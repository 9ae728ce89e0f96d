// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

//go:embed nine.json
var nine string

// demo asks n times, all at once, the first time with 3 pixels in place of 64,
// and prints how often there was which answer.
func demo(ctx context.Context, url string, n int) {
	// Connections are bounded, as a process has few files; what waits for one
	// is a goroutine.
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 64}}
	defer client.CloseIdleConnections() // so that Shutdown need not wait for them
	answers := make(chan string)
	for i := range n {
		body := nine
		if i == 0 {
			body = "[0, 0.5, 1]"
		}
		go func() { answers <- ask(ctx, client, url, body) }()
	}
	counts := map[string]int{}
	for range n {
		counts[<-answers]++
	}
	for _, answer := range slices.Sorted(maps.Keys(counts)) {
		fmt.Printf("%d x %s\n", counts[answer], answer)
	}
}

func ask(ctx context.Context, client *http.Client, url, body string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	response, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return response.Status + ": " + strings.TrimSpace(string(text))
}
