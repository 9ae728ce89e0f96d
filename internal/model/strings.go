// SPDX-License-Identifier: Apache-2.0

package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/anyinfer/anyinfer/common"
)

// readLines returns a vector of the lines in a text file.
func readLines(file string) (*common.Tensor, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		all = append(all, strings.TrimRight(line, "\r\n"))
	}
	return common.FromSlice(all)
}

// readJSON returns the string in a JSON file, or the strings in its nested lists,
// one level for each dimension.
func readJSON(file string) (*common.Tensor, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	shape := common.Shape{}
	for l, ok := v.([]any); ok; l, ok = l[0].([]any) {
		if shape = append(shape, len(l)); len(l) == 0 {
			break
		}
	}
	all, err := flatten(nil, v, shape)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return common.FromSlice(all, shape...)
}

// flatten appends the strings in v, lists of the lengths in shape.
func flatten(all []string, v any, shape common.Shape) ([]string, error) {
	if len(shape) == 0 {
		s, ok := v.(string)
		if !ok {
			return nil, errors.New("want strings, or lists of strings; numbers belong in .npy files")
		}
		return append(all, s), nil
	}
	l, ok := v.([]any)
	if !ok || len(l) != shape[0] {
		return nil, errors.New("the lists in a list must have the same length")
	}
	for _, v := range l {
		var err error
		if all, err = flatten(all, v, shape[1:]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// WriteJSON writes strings in the form that ReadInputs reads from a .json file.
func WriteJSON(file string, t *common.Tensor) error {
	data, err := common.Data[string](t)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(nestedLists(data, t.Shape()), "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o666)
}

// nestedLists returns data as lists with a level for each dimension of shape.
func nestedLists(data []string, shape common.Shape) any {
	if len(shape) == 0 {
		return data[0]
	}
	l := []any{}
	for i, n := 0, len(data)/max(shape[0], 1); i < shape[0]; i++ {
		l = append(l, nestedLists(data[i*n:(i+1)*n], shape[1:]))
	}
	return l
}
