// SPDX-License-Identifier: Apache-2.0

//go:build cgo && mnn

// MNN prints with printf. This file redirects that to the logger: a library calls
// other libraries' functions through a table of their addresses (the global offset
// table), and the addresses of printf, puts and putchar in the table of MNN's
// library are replaced. The rest of the process keeps its functions.
#include "log.h"

#if defined(__linux__)
#include <MNN/Interpreter.hpp>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

// MNN built by the crate mnn-sys calls mnn_ffi_emit instead of printf. Its headers
// declare that with a type that other builds lack, so it has another name here.
void emit(const char*, size_t, int level, const char* text) __asm__("mnn_ffi_emit");
void emit(const char*, size_t, int level, const char* text) { anyinfer_mnn::logs().write(level == 0 ? ANYINFER_DEBUG : ANYINFER_WARN, text); }

namespace {

int log_text(const char* text) {
  anyinfer_mnn::logs().write(ANYINFER_WARN, text); // MNN prints errors and other messages the same way
  return int(strlen(text));
}

int log_printf(const char* format, ...) {
  va_list args;
  va_start(args, format);
  const std::string text = anyinfer::vformat(format, args);
  va_end(args);
  return log_text(text.c_str());
}

int log_printf_chk(int, const char* format, ...) { // for code that was compiled with _FORTIFY_SOURCE
  va_list args;
  va_start(args, format);
  const std::string text = anyinfer::vformat(format, args);
  va_end(args);
  return log_text(text.c_str());
}

int log_putchar(int c) {
  const char text[] = {char(c), 0};
  log_text(text);
  return c;
}

const struct {
  const char* name;
  void* function;
} replacements[] = {
    {"printf", reinterpret_cast<void*>(log_printf)},
    {"__printf_chk", reinterpret_cast<void*>(log_printf_chk)},
    {"puts", reinterpret_cast<void*>(log_text)},
    {"putchar", reinterpret_cast<void*>(log_putchar)},
};

// object is a loaded library, or the program.
struct object {
  const dl_phdr_info& info;
  ElfW(Addr) mapped(ElfW(Addr) address) const { return info.dlpi_addr + address; }

  bool has(ElfW(Addr) address) const {
    for (int i = 0; i < info.dlpi_phnum; i++) {
      const auto& p = info.dlpi_phdr[i];
      if (p.p_type == PT_LOAD && address - mapped(p.p_vaddr) < p.p_memsz) return true;
    }
    return false;
  }

  // set writes to the table, which may be read-only after relocation (RELRO).
  void set(ElfW(Addr) slot, void* function) const {
    const ElfW(Addr) size = ElfW(Addr)(sysconf(_SC_PAGESIZE)), page = slot & ~(size - 1);
    bool sealed = false;
    for (int i = 0; i < info.dlpi_phnum; i++) {
      const auto& p = info.dlpi_phdr[i];
      if (p.p_type == PT_GNU_RELRO) sealed = slot >= mapped(p.p_vaddr) && page < (mapped(p.p_vaddr + p.p_memsz) & ~(size - 1));
    }
    if (sealed && mprotect(reinterpret_cast<void*>(page), size, PROT_READ | PROT_WRITE) != 0) return;
    __atomic_store_n(reinterpret_cast<void**>(slot), function, __ATOMIC_RELEASE);
    if (sealed) mprotect(reinterpret_cast<void*>(page), size, PROT_READ);
  }

  // redirect replaces the addresses in the tables that relocations fill.
  void redirect() const {
    ElfW(Addr) values[DT_JMPREL + 1] = {};
    for (int i = 0; i < info.dlpi_phnum; i++) {
      if (info.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
      for (auto d = reinterpret_cast<const ElfW(Dyn)*>(mapped(info.dlpi_phdr[i].p_vaddr)); d->d_tag != DT_NULL; d++)
        if (d->d_tag > 0 && d->d_tag <= DT_JMPREL) values[d->d_tag] = d->d_un.d_ptr;
    }
    // glibc has converted these offsets to addresses, other C libraries have not.
    for (auto tag : {DT_SYMTAB, DT_STRTAB, DT_JMPREL, DT_RELA, DT_REL})
      if (values[tag] < info.dlpi_addr) values[tag] = mapped(values[tag]);
    const struct { ElfW(Addr) begin, size; size_t step; } tables[] = {
        {values[DT_JMPREL], values[DT_PLTRELSZ], values[DT_PLTREL] == DT_RELA ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel))},
        {values[DT_RELA], values[DT_RELASZ], sizeof(ElfW(Rela))},
        {values[DT_REL], values[DT_RELSZ], sizeof(ElfW(Rel))},
    };
    for (auto& t : tables)
      for (ElfW(Addr) at = t.begin; at < t.begin + t.size; at += t.step) {
        auto r = reinterpret_cast<const ElfW(Rel)*>(at); // a Rela begins with the same members
        const auto index = r->r_info >> (sizeof(ElfW(Addr)) == 8 ? 32 : 8);
        const auto& symbol = reinterpret_cast<const ElfW(Sym)*>(values[DT_SYMTAB])[index];
        if (index == 0 || symbol.st_shndx != SHN_UNDEF) continue;
        for (auto& f : replacements)
          if (strcmp(reinterpret_cast<const char*>(values[DT_STRTAB]) + symbol.st_name, f.name) == 0) set(mapped(r->r_offset), f.function);
      }
  }
};

// dl_iterate_phdr calls visit for each object, the program first. If MNN is linked
// into the program, all its code shares the table, which then stays unchanged.
int visit(dl_phdr_info* info, size_t, void* seen) {
  const object o{*info};
  const bool program = !*static_cast<bool*>(seen);
  *static_cast<bool*>(seen) = true;
  if (!o.has(reinterpret_cast<ElfW(Addr)>(MNN::getVersion))) return 0;
  if (!program) o.redirect();
  return 1;
}

}  // namespace

void anyinfer_mnn::redirect_prints() {
  bool seen = false;
  dl_iterate_phdr(visit, &seen);
}

#else

void anyinfer_mnn::redirect_prints() {} // MNN prints to stdout

#endif
