// SPDX-License-Identifier: Apache-2.0

// Package suggest finds the names that resemble a mistyped one.
package suggest

import "strings"

// Similar returns the names that start with word or differ from it in at most
// two letters, in upper or lower case.
func Similar(word string, names []string) (similar []string) {
	if word == "" {
		return nil
	}
	word = strings.ToLower(word)
	for _, n := range names {
		if lower := strings.ToLower(n); strings.HasPrefix(lower, word) || Distance(word, lower) <= 2 {
			similar = append(similar, n)
		}
	}
	return similar
}

// Choices returns the end of an error about a word that is not in names: a
// question with the similar names, or else the list of all.
func Choices(word string, names []string) string {
	if similar := Similar(word, names); similar != nil {
		return "; did you mean " + strings.Join(similar, " or ") + "?"
	}
	return "; there are: " + strings.Join(names, ", ")
}

// Distance returns the number of bytes to insert, delete, replace or swap
// with the next one to turn a into b.
func Distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j], rows[i][j-1], rows[i-1][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
