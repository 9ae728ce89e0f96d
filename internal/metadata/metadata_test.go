// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

func TestAddObject(t *testing.T) {
	for text, want := range map[string]map[string]string{
		`{"a": "b", "n": -1.5e3, "t": true, "l": [1, [2]], "o": {"x": "}"}, "e": ""}`: {"a": "b", "n": "-1.5e3", "t": "true", "l": "[1, [2]]", "o": `{"x": "}"}`},
		"{\n  'a': 'b', 'n': None,\n 't': (1, 2,), 'p': {0: 'x', 1: \"it's\"},}\n":    {"a": "b", "n": "None", "t": "(1, 2,)", "p": `{0: 'x', 1: "it's"}`},
		`{"u": "\u00e9 \ud83d\ude00 \/ \" \\ \t", "bad": "\ud83d!"}`:                  {"u": "é 😀 / \" \\ \t", "bad": "\ufffd!"},
		`{'p': 'it\'s \xe9 \u732b \U0001f600 \\n \n', "q": "\x00\a"}`:                 {"p": "it's é 猫 😀 \\n \n", "q": "\x00\a"},
		`{"a": "first", "a": "second", "set": "other"}`:                               {"a": "first", "set": "before"},
		`{}`: {},
	} {
		all := map[string]string{}
		if want["set"] != "" {
			all["set"] = "before"
		}
		all, ok := AddObject(all, text)
		require.True(t, ok, text)
		require.Equal(t, want, all, text)
	}
	deep := strings.Repeat("[", 1<<20)
	for _, text := range []string{
		"", " ", "anyinfer", `"a"`, "[1]", "{", "}", "{]", `{"a"}`, `{"a":}`, `{"a": 1 2}`, `{"a": 1} x`, `{"a": "b}`, `{"a": "\`, `{'a': '\x0'}`, `{'a': '\d'}`,
		`{'a': '\U80000000'}`, `{,}`, `{"a": 1,,}`, `{"a": f(1)}`, deep, `{"a": ` + deep, `{"a": "` + strings.Repeat("x", maxText) + `"}`,
	} {
		all, ok := AddObject(nil, text)
		require.False(t, ok, "%.20s", text)
		require.Nil(t, all, "%.20s", text)
	}
}

func TestSetLabels(t *testing.T) {
	ab := []string{"a", "b"}
	labelled := func(all map[string]string, shape ...int) []string {
		outputs := []common.TensorInfo{{Shape: shape}}
		SetLabels(outputs, all)
		return outputs[0].Labels
	}
	for text, want := range map[string][]string{
		`{0: 'a', 1: 'b'}`: ab, `{"1": "b", "0": "a"}`: ab, `['a', "b"]`: ab, `('a', 'b')`: ab, `{0: 7, 1: None}`: {"7", "None"},
		`{1: 'a', 2: 'b'}`: nil, `{0: 'a', 2: 'b'}`: nil, `{'x': 'a', 'y': 'b'}`: nil, `{-1: 'a', 0: 'b'}`: nil, `{0: 'a', 0: 'b'}`: nil, "a, b": nil, "": nil,
	} {
		require.Equal(t, want, labelled(map[string]string{"names": text}, 1, 2), text)
	}
	all := map[string]string{"names": "['a', 'b']"}
	for _, shape := range []common.Shape{{2}, {1, 2}, {-1, 2}, {8, 1, 1, 2}} {
		require.Equal(t, ab, labelled(all, shape...), shape)
	}
	for _, shape := range []common.Shape{nil, {}, {3}, {1, -1}, {2, 1}, {1, 300, 2}, {1, -1, 2}} {
		require.Nil(t, labelled(all, shape...), shape)
	}
	require.Nil(t, labelled(map[string]string{"names": "['a']"}, 1, 1), "one name tells nothing apart")
	require.Equal(t, ab, labelled(map[string]string{"model_info.labels": "a b "}, 1, 2))
	require.Equal(t, ab, labelled(map[string]string{"model_info.labels": "x y", "names": "['a', 'b']"}, 1, 2))

	own := []common.TensorInfo{{Shape: common.Shape{2}, Labels: []string{"x", "y"}}}
	SetLabels(own, all)
	require.Equal(t, []string{"x", "y"}, own[0].Labels, "the format's own labels must stay")
}

func FuzzAddObject(f *testing.F) {
	f.Add(`{"a": "\u00e9", 'b': [1, {0: None}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		AddObject(nil, text)
		SetLabels([]common.TensorInfo{{Shape: common.Shape{2}}}, map[string]string{"names": text})
	})
}
