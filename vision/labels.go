// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"slices"
	"strings"
)

// COCO returns the names of COCO's 80 classes, which detectors with 80 classes have
// in this order.
func COCO() []string {
	return strings.Split("person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,"+
		"fire hydrant,stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,"+
		"elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,"+
		"skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,"+
		"wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,"+
		"broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,"+
		"dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,"+
		"toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush", ",")
}

// COCO91 returns the names by COCO's original numbers, 0 to 90, of which 11 are not
// used and have no name. Models of TensorFlow and DETR have these; in a model that
// numbers them from 0 without a background, class 0 is COCO91()[1].
func COCO91() []string {
	all := COCO()
	for _, unused := range []int{0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83} {
		all = slices.Insert(all, unused, "")
	}
	return all
}

// VOC returns the names of Pascal VOC's 20 classes after "background", as segmentation
// models have them.
func VOC() []string {
	return strings.Split("background,aeroplane,bicycle,bird,boat,bottle,bus,car,cat,chair,cow,diningtable,"+
		"dog,horse,motorbike,person,pottedplant,sheep,sofa,train,tvmonitor", ",")
}
