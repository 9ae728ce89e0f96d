// SPDX-License-Identifier: Apache-2.0

package isolate

// A Run's end, and the next Run's beginning, are looked for some times before the thread sleeps.
const programSpins, childSpins = 0, 0
