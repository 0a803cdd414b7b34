#ifndef EIGENSTREAM_IO_STATE_FILE_HPP
#define EIGENSTREAM_IO_STATE_FILE_HPP

#include <cstddef>      // byte
#include <cstdint>      // uint64_t
#include <cstring>      // memcpy
#include <filesystem>   // path
#include <span>         // span
#include <string>       // notes
#include <string_view>  // notes
#include <vector>       // bytes

#include "eigenstream/core/state.hpp"
#include "eigenstream/io/file.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// A stream's state as a file: stop here, go on there.
///   write_state("call.state", stream.get_state());
///   other.set_state(read_state("call.state"));
/// A note may go with it: a text that tells whoever reads it what else belongs to the state (a sample rate, a position).
/// Bytes    magic, version, bytes of the note and of the state, digest; the note; the state's own bytes. In the byte
///          order of the machine; a file of another order is refused
struct StateFile {
  State state;
  std::string note;
};

/// The longest note, and the longest file, that are written and read, in bytes.
inline constexpr std::uint64_t max_state_note_bytes = std::uint64_t{64} << 10;
inline constexpr std::uint64_t max_state_file_bytes = std::uint64_t{4} << 30;

namespace detail::state_file {

struct Header {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint64_t note_bytes, state_bytes;
  std::uint64_t digest;  // of the other fields and the note; the state has its own
};
inline constexpr std::uint32_t magic = 0x46535345;  // "ESSF"
inline constexpr std::uint32_t version = 1;

inline std::uint64_t digest(const Header& header, const void* note) {
  Fingerprint all("state file");
  all.add(header.note_bytes).add(header.state_bytes);
  all.bytes(note, static_cast<std::size_t>(header.note_bytes));
  return all;
}

/// The header of a file of so many bytes, before anything is allocated for the rest.
inline Header check_header(std::span<const std::byte, sizeof(Header)> bytes, std::uint64_t file_bytes,
                           const std::string& where) {
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  check(header.magic == magic, where, "not a state file");
  check(header.version == version, where, "a state file of version ", header.version, ", this reads version ", version);
  check(header.note_bytes <= max_state_note_bytes && header.state_bytes <= max_state_file_bytes, where,
        "damaged: its header claims ", header.note_bytes, " and ", header.state_bytes, " bytes");
  const std::uint64_t wanted = sizeof header + header.note_bytes + header.state_bytes;
  check(file_bytes == wanted, where, file_bytes < wanted ? "cut off: " : "damaged: ", file_bytes,
        " bytes long where its header says ", wanted);
  return header;
}

inline StateFile parse_rest(const Header& header, std::span<const std::byte> rest, const std::string& where) {
  const std::span<const std::byte> note = rest.first(static_cast<std::size_t>(header.note_bytes));
  check(digest(header, note.data()) == header.digest, where, "damaged: its digest differs");
  StateFile file;
  file.note.assign(reinterpret_cast<const char*>(note.data()), note.size());
#if EIGENSTREAM_EXCEPTIONS
  try {
#endif
    file.state = State::from_bytes(rest.subspan(note.size()));
#if EIGENSTREAM_EXCEPTIONS
  } catch (const Error& error) {
    fail(where, error.what());
  }
#endif
  return file;
}

}  // namespace detail::state_file

/// The bytes of a state file.
/// Errors   Error if the state is empty, or the note or the file would be too long to be read
inline std::vector<std::byte> serialise_state(const State& state, std::string_view note = {}) {
  namespace io = detail::state_file;
  check(!state.empty(), "state file: the state is empty");
  check(note.size() <= max_state_note_bytes, "state file: a note of ", note.size(), " bytes, more than ",
        max_state_note_bytes);
  io::Header header{io::magic, io::version, note.size(), state.bytes().size(), 0};
  header.digest = io::digest(header, note.data());
  check(sizeof header + header.note_bytes + header.state_bytes <= max_state_file_bytes, "state file: a state of ",
        header.state_bytes, " bytes, a file may have ", max_state_file_bytes);
  std::vector<std::byte> bytes(sizeof header + note.size() + state.bytes().size());
  std::memcpy(bytes.data(), &header, sizeof header);
  if (!note.empty()) std::memcpy(bytes.data() + sizeof header, note.data(), note.size());
  std::memcpy(bytes.data() + sizeof header + note.size(), state.bytes().data(), state.bytes().size());
  return bytes;
}

/// Takes the bytes of a state file apart.
/// Errors   Error if they are no state file, are too few or too many, damaged or of another version
inline StateFile parse_state_file(std::span<const std::byte> bytes, const std::string& where = "state file: ") {
  namespace io = detail::state_file;
  check(bytes.size() >= sizeof(io::Header), where, "only ", bytes.size(), " bytes long, too short");
  const io::Header header = io::check_header(bytes.first<sizeof(io::Header)>(), bytes.size(), where);
  return io::parse_rest(header, bytes.subspan(sizeof header), where);
}

/// Writes a state file all at once: it goes to a temporary file beside the path, which is then renamed over it.
/// Errors   Those of serialise_state, and what the system reports; what was under the path stays, nothing is left
inline void write_state(const std::filesystem::path& path, const State& state, std::string_view note = {}) {
  detail::write_atomically(path, serialise_state(state, note));
}

/// Reads a state file, with its note.
/// Errors   Those of parse_state_file, and a path that is not a readable regular file; the message names the path.
///          Sizes are checked before memory is taken
inline StateFile read_state_file(const std::filesystem::path& path) {
  namespace io = detail::state_file;
  const std::string where = "state file " + detail::path_in_quotes(path) + ": ";
  detail::InputFile file(path, where);
  check(file.bytes() >= sizeof(io::Header), where, "only ", file.bytes(), " bytes long, too short");
  check(file.bytes() <= max_state_file_bytes, where, file.bytes(), " bytes long, more than ", max_state_file_bytes);
  std::byte begin[sizeof(io::Header)];
  file.read(begin);
  const io::Header header = io::check_header(begin, file.bytes(), where);
  std::vector<std::byte> rest(static_cast<std::size_t>(file.bytes() - sizeof header));
  file.read(rest);
  return io::parse_rest(header, rest, where);
}

/// The same without the note.
inline State read_state(const std::filesystem::path& path) { return read_state_file(path).state; }

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_IO_STATE_FILE_HPP
