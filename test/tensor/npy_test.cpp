// SPDX-License-Identifier: Apache-2.0
// .npy files: round trips, what NumPy writes, and files that are not what they claim.
#include <flashlight/flashlight.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace flashlight {
namespace {

class Npy : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("npy_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& bytes) const {
    std::ofstream(path("x.npy"), std::ios::binary) << bytes;
    return path("x.npy");
  }

  std::filesystem::path folder_;
};

// A file of the given version, header text and elements.
std::string npy(int major, const std::string& header, const std::string& elements) {
  std::string bytes = std::string("\x93NUMPY", 6) + static_cast<char>(major) + '\0';
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) bytes += static_cast<char>(header.size() >> 8 * i & 0xff);
  return bytes + header + elements;
}

std::string bytes_of(std::initializer_list<float> numbers) {
  std::string bytes;
  for (float number : numbers) bytes.append(reinterpret_cast<const char*>(&number), 4);
  return bytes;
}

TEST_F(Npy, RoundTripKeepsBitsOfEveryDType) {
  for (DType dtype : {kFloat16, kBFloat16, kFloat32, kFloat64, kInt8, kUInt8, kInt32, kInt64, kBool}) {
    for (const Sizes& sizes : {Sizes{}, Sizes{5}, Sizes{2, 3}, Sizes{2, 0, 3}, Sizes{1, 2, 3, 4}}) {
      const Tensor x = randint(0, 100, sizes, 3).to(dtype);
      save_npy(path("x.npy"), x);
      const Tensor y = load_npy(path("x.npy"));
      EXPECT_EQ(y.dtype(), dtype);
      EXPECT_EQ(y.sizes(), sizes);
      EXPECT_EQ(
          x.numel() == 0 ? 0 : std::memcmp(x.raw(), y.raw(), std::size_t(x.numel()) * element_size(dtype)),
          0);
    }
  }
}

TEST_F(Npy, SavesViewsAndDeviceTensors) {
  const Tensor x = randn({3, 4}, 1);
  save_npy(path("x.npy"), x.mT().slice(0, 1, 3));
  EXPECT_EQ(max_abs_diff(load_npy(path("x.npy")), x.mT().slice(0, 1, 3)), 0);
  save_npy(path("x.npy"), x.to(kCUDA));
  EXPECT_EQ(max_abs_diff(load_npy(path("x.npy")), x), 0);
}

TEST_F(Npy, HeaderIsAlignedAndPlain) {
  save_npy(path("x.npy"), zeros({7}, kBFloat16));
  std::ifstream file(path("x.npy"), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(bytes.size() % 64, 14u);
  EXPECT_NE(bytes.find("{'descr': '<V2', 'fortran_order': False, 'shape': (7,), }"), std::string::npos);
  EXPECT_EQ(bytes[bytes.size() - 15], '\n');
}

TEST_F(Npy, ReadsAllVersionsAndOrders) {
  const std::string numbers = bytes_of({0, 1, 2, 3, 4, 5});
  for (int version : {1, 2, 3}) {
    const Tensor x = load_npy(
        write(npy(version, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n", numbers)));
    EXPECT_EQ(max_abs_diff(x, arange(6).view({2, 3})), 0);
  }
  const Tensor y = load_npy(write(npy(1, "{\"shape\":(2,3),'fortran_order':True,'descr':'<f4'}\n", numbers)));
  EXPECT_TRUE(y.is_contiguous());
  EXPECT_EQ(max_abs_diff(y, arange(6).view({3, 2}).mT()), 0);
  const Tensor flags = load_npy(write(npy(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }",
                                          "\x02\x01" + std::string(1, '\0'))));
  EXPECT_EQ(flags.sum().item<int>(), 2);
}

TEST_F(Npy, MalformedFilesAreErrors) {
  const std::string numbers = bytes_of({0, 1, 2, 3, 4, 5});
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
  const std::string whole = npy(1, good, numbers);
  ASSERT_NO_THROW(load_npy(write(whole)));
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_THROW(load_npy(write(whole.substr(0, length))), Error) << length;
  EXPECT_THROW(load_npy(write(whole + "x")), Error);
  for (const char* header :
       {"",
        "{",
        "{}",
        "{'descr': '<f4'}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '', 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 6}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0)}x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,6)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (7,)}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} trailing"})
    EXPECT_THROW(load_npy(write(npy(1, header, numbers))), Error) << header;
  EXPECT_THROW(load_npy(write(npy(4, good, numbers))), Error);
  std::string other = whole;
  other[0] = 'x';
  EXPECT_THROW(load_npy(write(other)), Error);
  std::string long_header = npy(2, good, numbers);
  long_header[11] = '\x7f';
  EXPECT_THROW(load_npy(write(long_header)), Error);
}

TEST_F(Npy, ChangedBytesNeverCrash) {
  const std::string whole =
      npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", bytes_of({0, 1, 2, 3, 4, 5}));
  const Tensor noise = randint(0, 256, {4000, 2}, 5);
  for (std::int64_t i = 0; i < noise.size(0); ++i) {
    std::string changed = whole;
    const std::int64_t* pair = noise.data<std::int64_t>() + 2 * i;
    changed[static_cast<std::size_t>(i) % 70] = static_cast<char>(pair[0]);
    changed[static_cast<std::size_t>(pair[1]) % 70] = static_cast<char>(pair[0] ^ pair[1]);
    try {
      load_npy(write(changed));
    } catch (const Error&) {}
  }
}

TEST_F(Npy, OnlyRegularFilesAreOpened) {
  EXPECT_THROW(load_npy(path("missing.npy")), Error);
  EXPECT_THROW(load_npy(folder_.string()), Error);
  EXPECT_THROW(load_npy("/dev/zero"), Error);
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_THROW(load_npy(path("fifo")), Error);
  EXPECT_THROW(save_npy(path("no/such/folder.npy"), zeros(1)), Error);
  if (std::filesystem::exists("/dev/full")) { EXPECT_THROW(save_npy("/dev/full", zeros({1000})), Error); }
}

}  // namespace
}  // namespace flashlight
