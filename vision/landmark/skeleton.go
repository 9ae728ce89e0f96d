// SPDX-License-Identifier: Apache-2.0

package landmark

import (
	"strconv"
	"strings"
)

// Skeleton has the names of points, or none, and the numbers of those with a line between them.
type Skeleton struct {
	Names []string
	Lines [][2]int
}

// SkeletonOf returns the Skeleton of so many points: 17 of a body as in COCO, 21 of a hand and 33
// of a body as MediaPipe has them, 468 of a face, of which the lines are contours, 5 of a face as
// SCRFD has them, and 4, which are the corners of a turned box. Others have none.
func SkeletonOf(points int) (s Skeleton) {
	text := skeletons[points]
	if text[0] != "" {
		s.Names = strings.Split(text[0], ",")
	}
	for way := range strings.SplitSeq(text[1], ",") {
		before := -1
		for field := range strings.FieldsSeq(way) {
			i, _ := strconv.Atoi(field)
			if before >= 0 {
				s.Lines = append(s.Lines, [2]int{before, i})
			}
			before = i
		}
	}
	return s
}

// skeletons have the names and, as ways from point to point, the lines.
var skeletons = map[int][2]string{
	4: {"", "0 1 2 3 0"},
	5: {"left eye,right eye,nose,left mouth corner,right mouth corner", "0 2,1 2,3 4"},
	17: {"nose,left eye,right eye,left ear,right ear,left shoulder,right shoulder,left elbow,right elbow,left wrist,right wrist," +
		"left hip,right hip,left knee,right knee,left ankle,right ankle",
		"0 1,0 2,1 2,1 3 5,2 4 6,5 6,5 7 9,6 8 10,5 11,6 12,11 12,11 13 15,12 14 16"},
	21: {"wrist,thumb cmc,thumb mcp,thumb ip,thumb tip,index finger mcp,index finger pip,index finger dip,index finger tip," +
		"middle finger mcp,middle finger pip,middle finger dip,middle finger tip,ring finger mcp,ring finger pip,ring finger dip,ring finger tip," +
		"pinky mcp,pinky pip,pinky dip,pinky tip", "0 1 2 3 4,0 5 6 7 8,5 9 10 11 12,9 13 14 15 16,13 17 18 19 20,0 17"},
	33: {"nose,left eye inner,left eye,left eye outer,right eye inner,right eye,right eye outer,left ear,right ear,mouth left,mouth right," +
		"left shoulder,right shoulder,left elbow,right elbow,left wrist,right wrist,left pinky,right pinky,left index,right index,left thumb,right thumb," +
		"left hip,right hip,left knee,right knee,left ankle,right ankle,left heel,right heel,left foot index,right foot index",
		"0 1 2 3 7,0 4 5 6 8,9 10,11 12,11 13 15 17 19 15 21,12 14 16 18 20 16 22,11 23 24 12,23 25 27 29 31 27,24 26 28 30 32 28"},
	468: {"", "10 338 297 332 284 251 389 356 454 323 361 288 397 365 379 378 400 377 152 148 176 149 150 136 172 58 132 93 234 127 162 21 54 103 67 109 10," +
		"61 146 91 181 84 17 314 405 321 375 291,61 185 40 39 37 0 267 269 270 409 291,78 95 88 178 87 14 317 402 318 324 308," +
		"78 191 80 81 82 13 312 311 310 415 308,263 249 390 373 374 380 381 382 362,263 466 388 387 386 385 384 398 362,276 283 282 295 285," +
		"300 293 334 296 336,33 7 163 144 145 153 154 155 133,33 246 161 160 159 158 157 173 133,46 53 52 65 55,70 63 105 66 107"},
}
