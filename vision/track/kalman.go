// SPDX-License-Identifier: Apache-2.0

package track

import "github.com/anyinfer/anyinfer/vision"

// filter is ByteTrack's Kalman filter. Its state is the centre of a box, its aspect (width
// divided by height), its height, and how fast each of these changes. As neither noise nor
// motion connects the four, the matrix of 8 x 8 covariances consists of 4 of 2 x 2.
type filter [4]axis

const aspect, height = 2, 3 // the indexes of what is not the centre

// axis is a number and its change per frame, with their covariance.
type axis struct {
	at, speed            float64
	atVar, cov, speedVar float64
}

// noise returns the variances of number i and of its speed, for deviations that are these
// parts of the height. The aspect does not depend on the height.
func noise(i int, place, speed float64) (float64, float64) {
	if i == aspect {
		return 1e-2 * 1e-2, 1e-5 * 1e-5
	}
	return place * place, speed * speed
}

// measured returns the centre, aspect and height of a box.
func measured(r vision.Rect) [4]float64 {
	x, y := float64(r.Min.X), float64(r.Min.Y)
	w, h := float64(r.Max.X)-x, float64(r.Max.Y)-y
	return [4]float64{x + w/2, y + h/2, w / h, h}
}

// begin sets the state of a thing that was seen once.
func (f *filter) begin(m [4]float64) {
	for i := range f {
		place, speed := noise(i, m[height]*2/20, m[height]*10/160)
		f[i] = axis{at: m[i], atVar: place, speedVar: speed}
	}
}

// predict advances the state by a frame; what is lost keeps its height.
func (f *filter) predict(lost bool) {
	h := f[height].at
	if lost {
		f[height].speed = 0
	}
	for i := range f {
		a := &f[i]
		place, speed := noise(i, h/20, h/160)
		a.at += a.speed
		a.atVar += 2*a.cov + a.speedVar + place
		a.cov += a.speedVar
		a.speedVar += speed
	}
}

// correct takes a measurement into account.
func (f *filter) correct(m [4]float64) {
	h := f[height].at
	for i := range f {
		a, seen := &f[i], h/20*h/20
		if i == aspect {
			seen = 0.1 * 0.1
		}
		total := max(a.atVar+seen, 1e-300) // a height of 0 has no noise
		off, gain, speedGain := m[i]-a.at, a.atVar/total, a.cov/total
		a.at += gain * off
		a.speed += speedGain * off
		a.speedVar -= speedGain * a.cov
		a.cov -= gain * a.cov
		a.atVar -= gain * a.atVar
	}
}

// rect returns the box of the state.
func (f *filter) rect() vision.Rect {
	w, h := f[aspect].at*f[height].at, f[height].at
	x, y := f[0].at-w/2, f[1].at-h/2
	return vision.Rect{Min: vision.Point{X: float32(x), Y: float32(y)}, Max: vision.Point{X: float32(x + w), Y: float32(y + h)}}
}
