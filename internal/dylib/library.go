// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/platform"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// Library is an open library with its table of functions. It is never closed,
// because an SDK may leave threads and exit handlers behind.
type Library struct {
	Path  string // the path of the file, the name given to the system's loader, or "linked"
	addrs []uintptr
}

// Spec describes the library that an engine needs.
type Spec struct {
	Engine  string   // as in `anyinfer sdk install`
	Stem    string   // libSTEM.so, libSTEM.dylib, STEM.dll
	Sonames []string // further names to try with the system's loader
	Install string   // the command that installs it; "": anyinfer sdk install ENGINE
}

// Env returns the name of the environment variable that has the path of the
// library or its folder.
func (s Spec) Env() string { return "ANYINFER_" + strings.ToUpper(s.Engine) + "_LIBRARY" }

func (s Spec) install() string { return cmp.Or(s.Install, "anyinfer sdk install "+s.Engine) }

// patterns returns the file names to search for in a folder, the best first.
func (s Spec) patterns() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{s.Stem + ".dll", "lib" + s.Stem + ".dll"}
	case "darwin", "ios":
		return []string{"lib" + s.Stem + ".dylib", "lib" + s.Stem + ".*.dylib"}
	}
	return []string{"lib" + s.Stem + ".so", "lib" + s.Stem + ".so.*"}
}

// Open finds the library, opens it and resolves table. It searches explicit
// (Config.Library), the environment variable, the folder that `anyinfer sdk` fills,
// and the system's loader, in this order. If one of the first two is set, nothing
// else is searched: Open must not open a library other than the requested one. It
// does not open a library in the SDK folder that other users can change. The error
// lists every place that was searched.
//
// If the library is linked (Link), nothing is searched, the variable is ignored,
// and explicit is refused.
func Open(spec Spec, table []Decl, explicit string) (*Library, error) {
	if addrs := linked[spec.Engine]; addrs != nil {
		return openLinked(spec.Engine, addrs, explicit)
	}
	f := finder{spec: spec}
	fix := fmt.Sprintf("%s, or point %s at the library", spec.install(), spec.Env())
	switch env := os.Getenv(spec.Env()); {
	case explicit != "":
		f.try(explicit, "Config.Library")
		fix = "correct Config.Library, or leave it empty"
	case env != "":
		f.try(env, spec.Env())
		fix = "correct " + spec.Env() + ", or unset it"
	default:
		f.tried("$"+spec.Env(), "not set")
		if f.sdkFolder(); f.handle == 0 {
			f.systemLoader()
		}
	}
	if f.handle == 0 {
		return nil, &common.Error{
			Engine: spec.Engine, Op: "open", Path: f.broken, Kind: common.ErrNotAvailable,
			Message:  fmt.Sprintf("no usable %s for %s/%s", spec.patterns()[0], runtime.GOOS, runtime.GOARCH),
			Hint:     fix,
			Searched: f.searched,
		}
	}
	addrs, err := bind(spec, f.path, f.handle, table)
	if err != nil {
		return nil, err
	}
	return &Library{Path: f.path, addrs: addrs}, nil
}

// Has reports whether the library has function sym, declared with Since.
func (l *Library) Has(sym int) bool { return l.addrs[sym] != 0 }

// finder tries one place after the other until handle is set.
type finder struct {
	spec     Spec
	handle   uintptr
	path     string   // of the open library
	broken   string   // the first file that exists but cannot or must not be opened
	searched []string // every place, with the result
}

func (f *finder) tried(place, result string) {
	f.searched = append(f.searched, place+": "+result)
}

// try opens path, which is a library or the library's folder.
func (f *finder) try(path, why string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		f.tried(path+" ("+why+")", "no such file or folder")
	case info.IsDir():
		f.folder(path, why)
	default:
		f.file(path, why)
	}
}

func (f *finder) file(path, why string) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs // because the loader would search other places for a bare name
	}
	handle, err := open(path)
	if err != nil {
		f.refused(path, why, cmp.Or(forOther(path), err))
		return
	}
	f.handle, f.path = handle, path
}

// forOther returns an error if the library is for another processor, else nil.
// glibc's own message for such a file is misleading: no such file.
func forOther(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	header := make([]byte, 20)
	if _, err := io.ReadFull(f, header); err != nil {
		return nil
	}
	if other := platform.OtherName(header, runtime.GOARCH); other != "" {
		return fmt.Errorf("it is for %s, but this program is for %s", other, platform.Linux[runtime.GOARCH].Name)
	}
	return nil
}

func (f *finder) refused(path, why string, err error) {
	f.tried(path+" ("+why+")", err.Error())
	if f.broken == "" {
		f.broken = path
	}
}

func (f *finder) folder(dir, why string) {
	for _, pattern := range f.spec.patterns() {
		matches, _ := filepath.Glob(filepath.Join(escape(dir), pattern))
		for _, m := range slices.Backward(matches) { // the highest version first
			if f.file(m, why); f.handle != 0 {
				return
			}
		}
	}
	if f.broken == "" {
		f.tried(dir+" ("+why+")", "has no "+strings.Join(f.spec.patterns(), " or "))
	}
}

// escape quotes the characters that have a meaning in Glob's patterns.
func escape(dir string) string {
	if runtime.GOOS == "windows" { // Glob has no escapes there, and names have no * or ?
		return dir
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func (f *finder) sdkFolder() {
	installed := sdkdir.Installed(f.spec.Engine)
	for _, sdk := range installed {
		if err := sdk.Check(); err != nil {
			f.refused(sdk.LibraryPath(), "SDK folder", err)
		} else if f.file(sdk.LibraryPath(), "SDK folder"); f.handle != 0 {
			return
		}
	}
	if len(installed) == 0 {
		root, err := sdkdir.Root()
		if err != nil {
			f.tried("SDK folder", err.Error())
			return
		}
		f.tried(filepath.Join(root, f.spec.Engine)+" (SDK folder)", "nothing installed for "+runtime.GOOS+"/"+runtime.GOARCH)
	}
}

func (f *finder) systemLoader() {
	names := append(f.spec.patterns()[:1:1], f.spec.Sonames...)
	for _, name := range names {
		if handle, err := open(name); err == nil {
			f.handle, f.path = handle, name
			return
		}
	}
	if n := len(names); n > 4 {
		names = []string{names[0], names[1], names[2] + " to " + names[n-1]}
	}
	f.tried("system loader", "finds no "+strings.Join(names, ", "))
}
