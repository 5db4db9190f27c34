#include "driver/artifacts/elf_image.h"

#include <elf.h>

#include <cstring>
#include <string>

namespace millrace {
namespace {

#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#elif defined(__riscv)
constexpr std::uint16_t kMachine = EM_RISCV;
#else
#error "name this machine's architecture here"
#endif

std::string MachineName(std::uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "aarch64";
    case EM_RISCV:
      return "riscv64";
    case EM_386:
      return "i386";
    case EM_ARM:
      return "arm";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390x";
    case EM_MIPS:
      return "mips";
    default:
      return Concat("an unknown architecture (ELF machine ", machine, ")");
  }
}

std::string TypeName(std::uint16_t type) {
  switch (type) {
    case ET_EXEC:
      return "a program";
    case ET_REL:
      return "an object file";
    case ET_CORE:
      return "a core dump";
    default:
      return Concat("an ELF file of type ", type);
  }
}

std::optional<std::string_view> Slice(std::string_view image, std::uint64_t offset, std::uint64_t size) {
  if (offset > image.size() || size > image.size() - offset) return std::nullopt;
  return image.substr(offset, size);
}

template <class T>
std::optional<T> Load(std::string_view image, std::uint64_t offset) {
  const auto bytes = Slice(image, offset, sizeof(T));
  if (!bytes) return std::nullopt;
  T value;
  std::memcpy(&value, bytes->data(), sizeof value);
  return value;
}

absl::Status Truncated(std::string_view what, std::string_view image) {
  return InvalidArgument("the file is truncated or damaged: ", what, " lies outside its ", image.size(),
                         " bytes; build it again and submit the whole file");
}

struct SectionTable {
  std::uint64_t offset;
  std::uint64_t count;
  std::uint64_t names;  // index of the section that holds the names
};

// Files with very many sections keep both numbers in the first section header.
absl::StatusOr<SectionTable> FindTable(std::string_view image, const Elf64_Ehdr& header) {
  SectionTable table{header.e_shoff, header.e_shnum, header.e_shstrndx};
  if (header.e_shentsize != sizeof(Elf64_Shdr)) {
    return InvalidArgument("the file is damaged: a section header of ", header.e_shentsize, " bytes instead of ",
                           sizeof(Elf64_Shdr));
  }
  if (table.count == 0 || table.names == SHN_XINDEX) {
    const auto first = Load<Elf64_Shdr>(image, table.offset);
    if (!first) return Truncated("the section table", image);
    if (table.count == 0) table.count = first->sh_size;
    if (table.names == SHN_XINDEX) table.names = first->sh_link;
  }
  if (table.offset > image.size() || table.count > (image.size() - table.offset) / sizeof(Elf64_Shdr)) {
    return Truncated("the section table", image);
  }
  if (table.names >= table.count) return Truncated("the table of section names", image);
  return table;
}

Elf64_Shdr SectionAt(std::string_view image, const SectionTable& table, std::uint64_t index) {
  return *Load<Elf64_Shdr>(image, table.offset + index * sizeof(Elf64_Shdr));
}

}  // namespace

absl::StatusOr<ElfImage> ElfImage::Parse(std::string_view image) {
  if (!image.starts_with(std::string_view(ELFMAG, SELFMAG))) {
    return InvalidArgument(
        "the file is not a shared library (no ELF header); submit the .so that the build of the job made");
  }
  if (image.size() < EI_NIDENT) return Truncated("the ELF header", image);
  if (image[EI_CLASS] == ELFCLASS32)
    return InvalidArgument("the file is a 32-bit library; this cluster runs 64-bit ones: build it for 64 bits");
  if (image[EI_CLASS] != ELFCLASS64)
    return InvalidArgument("the file is damaged: its ELF class is neither 32 nor 64 bits");
  if (image[EI_DATA] != ELFDATA2LSB)
    return InvalidArgument("the file is not little-endian, as this cluster is: build it for this architecture");
  const auto header = Load<Elf64_Ehdr>(image, 0);
  if (!header) return Truncated("the ELF header", image);
  if (header->e_machine != kMachine) {
    return InvalidArgument("the file is built for ", MachineName(header->e_machine), "; this cluster runs ",
                           MachineName(kMachine), ": build it for that architecture");
  }
  if (header->e_type != ET_DYN) {
    return InvalidArgument("the file is ", TypeName(header->e_type),
                           ", not a shared library: build it with add_library(… MODULE) or -shared");
  }
  return ElfImage(image);
}

absl::StatusOr<std::optional<std::string_view>> ElfImage::Section(std::string_view name) const {
  const Elf64_Ehdr header = *Load<Elf64_Ehdr>(image_, 0);
  if (header.e_shoff == 0) return std::optional<std::string_view>();
  MR_ASSIGN_OR_RETURN(const SectionTable table, FindTable(image_, header));
  const Elf64_Shdr names_header = SectionAt(image_, table, table.names);
  const auto names = Slice(image_, names_header.sh_offset, names_header.sh_size);
  if (!names) return Truncated("the table of section names", image_);
  for (std::uint64_t i = 0; i < table.count; ++i) {
    const Elf64_Shdr section = SectionAt(image_, table, i);
    if (section.sh_name >= names->size()) continue;
    const std::string_view rest = names->substr(section.sh_name);
    if (rest.substr(0, rest.find('\0')) != name) continue;
    const auto bytes = section.sh_type == SHT_NOBITS ? std::nullopt : Slice(image_, section.sh_offset, section.sh_size);
    if (!bytes) return Truncated(Concat("section ", name), image_);
    return bytes;
  }
  return std::optional<std::string_view>();
}

std::optional<std::vector<ElfNote>> ParseNotes(std::string_view section) {
  const auto padded = [](std::uint64_t size) { return (size + 3) & ~std::uint64_t{3}; };
  std::vector<ElfNote> notes;
  std::uint64_t offset = 0;
  while (offset < section.size()) {
    const auto header = Load<Elf64_Nhdr>(section, offset);
    if (!header) return std::nullopt;
    const std::uint64_t owner_at = offset + sizeof(Elf64_Nhdr);
    const std::uint64_t description_at = owner_at + padded(header->n_namesz);
    auto owner = Slice(section, owner_at, header->n_namesz);
    const auto description = Slice(section, description_at, header->n_descsz);
    if (!owner || !description) return std::nullopt;
    if (owner->ends_with('\0')) owner->remove_suffix(1);
    notes.push_back({*owner, header->n_type, *description});
    offset = description_at + padded(header->n_descsz);
  }
  return notes;
}

}  // namespace millrace
