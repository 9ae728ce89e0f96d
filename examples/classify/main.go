// SPDX-License-Identifier: Apache-2.0

// Command classify recognizes the handwritten digit in each PNG file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
)

func main() {
	name := flag.String("engine", "", "one of "+strings.Join(common.Engines(), ", ")+" (default the first that is ready)")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: classify [-engine NAME] FILE.png ...")
		os.Exit(2)
	}
	if err := classify(*name, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "classify:", err)
		os.Exit(1)
	}
}

func classify(name string, files []string) error {
	engine, err := open(name)
	if err != nil {
		return err
	}
	defer engine.Close() // also closes the model and its session
	ctx := context.Background()
	model, err := engine.Load(ctx, digits(engine.Info().Name), nil)
	if err != nil {
		return err
	}
	session, err := model.NewSession(ctx, "")
	if err != nil {
		return err
	}
	pixels, err := common.Data[float32](session.Input(0)) // stays bound; each picture is written here
	if err != nil {
		return err
	}
	var failed []error // after a bad file, the others are still classified
	for _, file := range files {
		if err := readInk(file, pixels); err != nil {
			failed = append(failed, err)
			continue
		}
		if err := session.Run(context.Background()); err != nil {
			return err
		}
		scores, err := common.Data[float32](session.Output(0))
		if err != nil {
			return err
		}
		digit := slices.Index(scores, slices.Max(scores))
		fmt.Printf("%s  %d  %.1f %%\n", file, digit, 100*scores[digit])
	}
	return errors.Join(failed...)
}
