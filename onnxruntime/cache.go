// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/cpu"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cachefile"
	"github.com/anyinfer/anyinfer/internal/filelock"
	"github.com/anyinfer/anyinfer/internal/privdir"
)

// cacheKey identifies an optimized model.
type cacheKey struct {
	Version      string
	Processor    string // some optimizations are for its instructions
	Files        []string
	Optimization string
	Config       map[string]string
	Dims         map[string]int
	CustomOps    []string
}

// newCacheKey reads the files of custom operators; files are the contents of the
// model's files.
func (d *driver) newCacheKey(s settings, files [][]byte) (cacheKey, error) {
	key := cacheKey{
		Version: d.info.Version, Processor: fmt.Sprint(cpu.X86, cpu.ARM64, cpu.ARM),
		Optimization: s.native.Optimization, Config: s.native.Config, Dims: s.dims,
	}
	for _, content := range files {
		sum := sha256.Sum256(content)
		key.Files = append(key.Files, hex.EncodeToString(sum[:]))
	}
	for _, path := range s.native.CustomOps {
		digest, err := cachefile.Digest(path)
		if err != nil {
			return key, fail(common.ErrOption, "CustomOps: %v", err)
		}
		key.CustomOps = append(key.CustomOps, digest)
	}
	return key, nil
}

// loadCached makes the OrtSession of the optimized model in CacheDir. If there is
// none, it makes the session of the model itself, and stores what ONNX Runtime has
// made of it. A cache that cannot be written is only logged, because the model is
// loaded.
func (m *model) loadCached(ctx context.Context) (uintptr, error) {
	d, s := m.driver, m.settings
	if s.provider.device != defaultDevice {
		return 0, fail(common.ErrOption, "CacheDir is only for the CPU; the provider may have an option of its own, which Provider sets")
	}
	dir := s.common.CacheDir
	if err := privdir.Make(dir); err != nil { // because whoever can change the cache can change results
		return 0, &common.Error{Kind: common.ErrOption, Path: dir, Message: "CacheDir cannot be used", Err: err}
	}
	key, err := d.newCacheKey(s, append([][]byte{m.files.Bytes(0)}, m.external.contents...))
	if err != nil {
		return 0, err
	}
	cached, err := cachefile.New(dir, ".onnx", key)
	if err != nil {
		return 0, err
	}
	if session, err := d.restore(ctx, cached, s); err == nil {
		return session, nil
	}
	base := strings.TrimSuffix(cached.Path, ".onnx")
	unlock, err := filelock.Lock(ctx, base+".lock")
	if err != nil && ctx.Err() != nil {
		return 0, ctx.Err()
	} else if err != nil {
		return 0, &common.Error{Kind: common.ErrOption, Path: dir, Message: "CacheDir cannot be used", Err: err}
	}
	defer unlock()
	session, reason := d.restore(ctx, cached, s) // by another Load meanwhile
	if reason == nil {
		return session, nil
	}
	if !errors.Is(reason, fs.ErrNotExist) {
		d.log.Warn("an optimized model in the cache is not usable and is made again", "path", cached.Path, "reason", reason)
	}
	building := base + ".building"
	os.Remove(building) // of a process that was killed
	session, err = m.newSession(ctx, fnSetOptimizedModelFilePath, building)
	if err == nil {
		err = cached.Replace(building, "")
	} else if ctx.Err() == nil { // perhaps only because it cannot be stored
		reason = err
		if session, err = m.newSession(ctx, fnNone, ""); err == nil {
			err = reason
		}
	}
	if session != 0 && err != nil {
		d.log.Warn("the optimized model is not cached", "path", cached.Path, "reason", err)
		return session, nil
	}
	return session, err
}

// restore makes the OrtSession of an optimized model in the cache.
func (d *driver) restore(ctx context.Context, cached cachefile.File, s settings) (uintptr, error) {
	content, err := cached.Read(ctx)
	if err != nil {
		return 0, err
	}
	defer content.Files.Release()
	s.native.Optimization, s.dims = "disable", nil // both are done
	options, err := d.sessionOptions(s)
	if err != nil {
		return 0, err
	}
	defer d.free(fnReleaseSessionOptions, options)
	session, err := d.newSession(ctx, content.Data, options)
	if err == nil {
		d.log.Debug("optimized model from the cache", "path", filepath.Base(cached.Path))
	}
	return session, err
}
