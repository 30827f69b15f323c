use super::*;
use crate::limits::GIB;

#[test]
fn what_one_copy_cannot_take_goes_in_parts_whatever_the_threshold() {
    for (bytes, multipart_mib, action) in [
        (0, 5, Action::Small),
        (5 * MIB - 1, 5, Action::Small),
        (5 * MIB, 5, Action::Large),
        (5 * GIB - 1, 5120, Action::Small),
        (5 * GIB, 5120, Action::Large),
        (5 * GIB, 9999, Action::Small),
        (5 * GIB + 1, 9999, Action::Large),
        (u64::MAX, u64::MAX, Action::Large),
    ] {
        assert_eq!(Action::for_size(bytes, multipart_mib), action, "{bytes}");
    }
}
