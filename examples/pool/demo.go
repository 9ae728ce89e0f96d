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

// demo sends n requests at once, the first with 3 pixels instead of 64, and prints the
// number of each answer.
func demo(ctx context.Context, url string, n int) {
	// The number of connections is limited, because the number of open files is; a
	// request that waits for a connection is only a goroutine.
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 64}}
	defer client.CloseIdleConnections() // so that Shutdown does not wait for them
	answers := make(chan string)
	for i := range n {
		body := nine
		if i == 0 {
			body = "[0, 0.5, 1]"
		}
		go func() { answers <- post(ctx, client, url, body) }()
	}
	counts := map[string]int{}
	for range n {
		counts[<-answers]++
	}
	for _, answer := range slices.Sorted(maps.Keys(counts)) {
		fmt.Printf("%d x %s\n", counts[answer], answer)
	}
}

func post(ctx context.Context, client *http.Client, url, body string) string {
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
