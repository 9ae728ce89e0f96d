// SPDX-License-Identifier: Apache-2.0

// Command isolate is a web server that goes on when the engine of its model crashes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/isolate"
	"github.com/anyinfer/anyinfer/testdata"
	_ "github.com/anyinfer/anyinfer/tflite"
)

const nine = "[0,0,0.5,0.9,0.8,0.1,0,0, 0,0.2,1,0.6,0.7,0.8,0,0, 0,0.4,1,0.1,0.3,1,0,0, 0,0.3,1,0.7,0.9,1,0.1,0, " +
	"0,0,0.4,0.7,0.8,1,0.1,0, 0,0,0,0,0.2,1,0.2,0, 0,0,0,0,0.3,1,0.2,0, 0,0,0.6,0.9,1,0.7,0,0]"

func main() {
	isolate.Main() // this program is its own child
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	engine, err := isolate.Open("tflite", nil, nil)
	if err != nil {
		return err
	}
	defer engine.Close()
	model, err := engine.Load(context.Background(), common.FS(testdata.FS, "digits.tflite"), nil)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	go http.Serve(listener, digits{model})

	for i := range 3 {
		response, err := http.Post("http://"+listener.Addr().String(), "application/json", strings.NewReader(nine))
		if err != nil {
			return err
		}
		var answer struct{ Digit int }
		err = json.NewDecoder(response.Body).Decode(&answer)
		response.Body.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", response.Status, err)
		}
		fmt.Println("digit:", answer.Digit)
		if i < 2 {
			if err := killChildren(); err != nil {
				return err
			}
			fmt.Println("the model's process is killed")
		}
	}
	return nil
}

// digits answers requests. Its model may crash.
type digits struct{ model *common.Model }

func (d digits) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var pixels []float32
	if err := json.NewDecoder(r.Body).Decode(&pixels); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	image, err := common.FromSlice(pixels, 1, 8, 8, 1)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out, err := d.model.Run(r.Context(), common.Tensors{"image": image})
	if errors.Is(err, common.ErrCrashed) { // perhaps because of another request: another process is started
		log.Println(err)
		out, err = d.model.Run(r.Context(), common.Tensors{"image": image})
	}
	if err != nil {
		log.Println(err)
		http.Error(w, "the model does not run", http.StatusInternalServerError)
		return
	}
	scores, err := common.Get[float32](out, "scores")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(map[string]int{"digit": slices.Index(scores, slices.Max(scores))})
}

// killChildren kills the child processes of this one, on Linux, as a crash of the engine ends them.
func killChildren() error {
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return err
	}
	killed := 0
	for _, list := range lists {
		pids, _ := os.ReadFile(list) // its thread may have ended
		for pid := range strings.FieldsSeq(string(pids)) {
			n, err := strconv.Atoi(pid)
			if err != nil {
				return err
			}
			process, err := os.FindProcess(n)
			if err != nil {
				return err
			}
			if err := process.Kill(); err != nil {
				return err
			}
			killed++
		}
	}
	if killed == 0 {
		return errors.New("this system does not tell which processes are the program's children")
	}
	return nil
}
