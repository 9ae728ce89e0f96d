// SPDX-License-Identifier: Apache-2.0

// Command faces finds the best face in each photo and writes it upright to face-1.png,
// face-2.png, and so on. With -embedder it tells how similar they are to the first.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"github.com/anyinfer/anyinfer/vision"
)

func main() {
	embedder := flag.String("embedder", "", "a model of ArcFace's kind, which compares faces")
	flag.Parse()
	if flag.NArg() < 2 {
		log.Fatal("usage: faces [-embedder MODEL] MODEL PHOTO...")
	}
	if err := faces(context.Background(), flag.Arg(0), *embedder, flag.Args()[1:]); err != nil {
		log.Fatal(err)
	}
}

func faces(ctx context.Context, detectorFile, embedderFile string, photos []string) error {
	detector, embedder, err := load(ctx, detectorFile, embedderFile)
	if err != nil {
		return err
	}
	var vectors [][]float32
	for i, photo := range photos {
		img, err := open(photo)
		if err != nil {
			return err
		}
		found, err := detector.Detect(ctx, img)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("%s: no face", photo)
		}
		fmt.Printf("%s: a face at %v\n", photo, found[0].Rect.Image())
		if err := align(fmt.Sprintf("face-%d.png", i+1), img, found[0].Points); err != nil {
			return err
		}
		if embedder != nil {
			vector, err := embedder.EmbedFace(ctx, img, found[0].Points)
			if err != nil {
				return err
			}
			vectors = append(vectors, vector)
			fmt.Printf("%s: cosine to the first %.2f\n", photo, vision.Cosine(vectors[0], vector))
		}
	}
	return nil
}
