// SPDX-License-Identifier: Apache-2.0

// Command pool is a web server that runs one model for many requests at once.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/openvino"
	"github.com/anyinfer/anyinfer/testdata"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("pool: ")
	addr := flag.String("addr", "localhost:8080", "address to listen on")
	sessions := flag.Int("sessions", runtime.GOMAXPROCS(0), "requests that run at once; others wait")
	waiting := flag.Int("waiting", 1000, "requests that may wait; further ones get status 429")
	requests := flag.Int("demo", 0, "number of requests that the program sends to itself before it exits")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if *requests > 0 {
		*addr = "localhost:0"
	}
	if err := run(ctx, *addr, &common.Options{Sessions: *sessions, MaxWaiting: *waiting}, *requests); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, addr string, o *common.Options, requests int) error {
	model, err := common.Load(ctx, common.FS(testdata.FS, "digits.tflite"), o)
	if err != nil {
		return err
	}
	defer model.Close()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /digit", digits{model})
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	url := "http://" + listener.Addr().String() + "/digit"
	if requests > 0 {
		demo(ctx, url, requests)
	} else {
		log.Println("listening on", url)
		select {
		case <-ctx.Done():
			log.Println("shutting down")
		case err := <-served:
			return err
		}
	}
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = errors.Join(server.Shutdown(grace), model.Shutdown(grace)) // Shutdown of server waits for requests, of model for Runs
	stats := model.Stats()
	log.Printf("%d runs, %d failed, %d calls waited, %d were refused", stats.Runs, stats.Failures, stats.WaitCount, stats.Refused)
	return err
}
