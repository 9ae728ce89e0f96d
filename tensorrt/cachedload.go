// SPDX-License-Identifier: Apache-2.0

package tensorrt

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/filelock"
	"golang.org/x/sync/singleflight"
)

// cachedLoad is a Load through the cache.
type cachedLoad struct {
	driver driver
	entry  entry
	files  *common.ModelFiles
	shared common.Options // without CacheDir and Native
	own    Options
}

// builds has the running builds of this process, by the path of the plan.
var builds singleflight.Group

// load loads the plan in the cache, or builds it. If several Loads of this
// process need the same plan, one builds it and the others wait. If it fails,
// for example because its context ends, the next one builds.
func (l *cachedLoad) load(ctx context.Context) (common.DriverModel, error) {
	for {
		found, _ := os.Stat(l.entry.plan.Path)
		m, reason := l.restore(ctx)
		if reason == nil {
			return m, nil
		}
		m, built, err := buildOnce(ctx, l.entry.plan.Path, func() (common.DriverModel, error) { return l.lockAndBuild(ctx, found, reason) })
		if built || err != nil {
			return m, err
		}
	}
}

// buildOnce calls build, unless another goroutine builds the same plan: then it
// waits for that build, and built is false. The end of ctx ends that wait, but not
// the wait for its own build, which reads files that are released when Load returns.
func buildOnce(ctx context.Context, plan string, build func() (common.DriverModel, error)) (m common.DriverModel, built bool, err error) {
	const waiting, building, canceled = 0, 1, 2
	var state atomic.Int32
	ended := builds.DoChan(plan, func() (any, error) {
		if state.CompareAndSwap(waiting, building) {
			m, err = build()
		}
		return nil, nil
	})
	select {
	case <-ended:
	case <-ctx.Done():
		if state.CompareAndSwap(waiting, canceled) {
			return nil, false, ctx.Err()
		}
		<-ended
	}
	return m, state.Load() == building, err
}

// lockAndBuild builds the plan, unless another process has built it meanwhile:
// then the file differs from found, which could not be used because of reason.
func (l *cachedLoad) lockAndBuild(ctx context.Context, found fs.FileInfo, reason error) (common.DriverModel, error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if now, err := os.Stat(l.entry.plan.Path); err == nil && (found == nil || !os.SameFile(now, found) || now.ModTime() != found.ModTime()) {
		var m common.DriverModel
		if m, reason = l.restore(ctx); reason == nil {
			return m, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if !errors.Is(reason, fs.ErrNotExist) {
		l.driver.log.Warn("a plan in the cache is not usable and is rebuilt", "path", l.entry.plan.Path, "reason", reason)
	}
	return l.build(ctx)
}

// restore loads the plan in the cache. It needs no lock: a plan is replaced
// atomically.
func (l *cachedLoad) restore(ctx context.Context) (common.DriverModel, error) {
	cached, err := l.entry.plan.Read(ctx)
	if err != nil {
		return nil, err
	}
	defer cached.Files.Release()
	precision, plan := splitTrailer(cached.Data)
	files, err := common.OpenFiles(ctx, common.Bytes(plan).As("tensorrt"), false)
	if err != nil {
		return nil, err
	}
	defer files.Release()
	o := l.shared
	o.Precision, o.Shapes = 0, nil // the plan contains them
	o.Native = request{
		options: Options{CUDAGraphs: l.own.CUDAGraphs, Plugins: l.own.Plugins}, built: true, precision: precision,
		metadata: describe(l.files, common.Options{}),
	}
	m, err := l.driver.shim.Load(ctx, files, o)
	if err != nil {
		return nil, err
	}
	l.driver.log.Debug("plan from the cache", "path", l.entry.plan.Path)
	return m, nil
}

// build loads the model and commits its plan to the cache. A failed commit is
// only logged, because the model is loaded.
func (l *cachedLoad) build(ctx context.Context) (common.DriverModel, error) {
	e := l.entry
	if err := e.prepare(); err != nil {
		return nil, cacheError(e.buildDir, err)
	}
	defer os.RemoveAll(e.buildDir)
	r := request{options: l.own, save: filepath.Join(e.buildDir, "plan"), timing: filepath.Join(e.buildDir, "timing")}
	o := l.shared
	o.Native = r
	m, err := l.driver.shim.Load(ctx, l.files, o)
	if err != nil {
		return nil, err
	}
	if err := e.commit(r, m.Info().Precision); err != nil {
		l.driver.log.Warn("the plan is not cached", "path", e.plan.Path, "reason", err)
	}
	return m, nil
}

// lock waits until no other process builds this plan.
func (l *cachedLoad) lock(ctx context.Context) (unlock func() error, err error) {
	if unlock, err = filelock.Lock(ctx, l.entry.lockFile); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, cacheError(l.entry.lockFile, err)
	}
	// A process that was killed may have left its build.
	if err := os.RemoveAll(l.entry.buildDir); err != nil {
		unlock()
		return nil, cacheError(l.entry.buildDir, err)
	}
	return unlock, nil
}

func cacheError(path string, err error) error {
	return &common.Error{Path: path, Kind: common.ErrOption, Message: "CacheDir cannot be used", Err: err}
}
