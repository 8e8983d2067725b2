#include "layers/documents/document_dates.h"

namespace strata::documents {

namespace {

// Takes `digits` digits off the front; -1: they are not there.
int take_number(std::string_view& text, size_t digits) {
  if (text.size() < digits) return -1;
  int value = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// Howard Hinnant's days_from_civil.
int64_t days_since_1970(int year, int month, int day) {
  const int64_t y = year - (month <= 2 ? 1 : 0);
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t year_of_era = y - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

int days_in_month(int year, int month) {
  constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

// "Z", "+02:00", or nothing.
std::optional<int64_t> take_offset_us(std::string_view& text) {
  if (text.empty() || take(text, 'Z') || take(text, 'z')) return 0;
  const bool minus = text.front() == '-';
  if (!minus && text.front() != '+') return std::nullopt;
  text.remove_prefix(1);
  const int hours = take_number(text, 2);
  if (hours < 0 || hours > 23 || !take(text, ':')) return std::nullopt;
  const int minutes = take_number(text, 2);
  if (minutes < 0 || minutes > 59) return std::nullopt;
  return (minus ? -1 : 1) * (hours * 60 + minutes) * 60'000'000LL;
}

// "15:04:05.123Z"
std::optional<int64_t> parse_time_us(std::string_view text) {
  const int hour = take_number(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ':')) return std::nullopt;
  const int minute = take_number(text, 2);
  if (minute < 0 || minute > 59 || !take(text, ':')) return std::nullopt;
  const int second = take_number(text, 2);
  if (second < 0 || second > 60) return std::nullopt;
  int64_t us = ((hour * 60 + minute) * 60LL + second) * 1'000'000;
  if (take(text, '.')) {
    int64_t unit = 100'000;
    bool any = false;
    for (int digit = take_number(text, 1); digit >= 0; digit = take_number(text, 1)) {
      us += digit * unit;
      unit /= 10;
      any = true;
    }
    if (!any) return std::nullopt;
  }
  const auto offset_us = take_offset_us(text);
  if (!offset_us || !text.empty()) return std::nullopt;
  return us - *offset_us;
}

}  // namespace

std::optional<int64_t> parse_date_us(std::string_view text) {
  if (text.size() < 10 || text.size() > 64) return std::nullopt;
  const int year = take_number(text, 4);
  if (year < 0 || !take(text, '-')) return std::nullopt;
  const int month = take_number(text, 2);
  if (month < 1 || month > 12 || !take(text, '-')) return std::nullopt;
  const int day = take_number(text, 2);
  if (day < 1 || day > days_in_month(year, month)) return std::nullopt;
  const int64_t day_us = days_since_1970(year, month, day) * 86'400'000'000;
  if (text.empty()) return day_us;
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
  const auto time_us = parse_time_us(text);
  if (!time_us) return std::nullopt;
  return day_us + *time_us;
}

}  // namespace strata::documents
