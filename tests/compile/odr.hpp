#ifndef EIGENSTREAM_TESTS_COMPILE_ODR_HPP
#define EIGENSTREAM_TESTS_COMPILE_ODR_HPP

/// Addresses of a library variable and a library function, as seen by the translation unit that defines this.
struct Seen {
  const void* variable;
  void (*function)(bool, const int&);
  bool operator==(const Seen&) const = default;
};
Seen seen_by_other();

#endif  // EIGENSTREAM_TESTS_COMPILE_ODR_HPP
