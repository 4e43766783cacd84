//! Makes a layer file of a fuzzer's bytes.

/// The bytes as they are; or, after a zero byte, a header of their own choice with everything around it right, so that
/// the fuzzer gets past the checksum: two bytes of length, that much JSON, and the pages.
pub fn file_of(data: &[u8]) -> Vec<u8> {
    let Some((0, rest)) = data.split_first().map(|(first, rest)| (*first, rest)) else { return data.to_vec() };
    let Some((length, rest)) = rest.split_first_chunk::<2>() else { return data.to_vec() };
    let (header, pages) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    let mut file = b"glovebox layer\n\0".to_vec();
    file.extend(1u32.to_le_bytes());
    file.extend((header.len() as u32).to_le_bytes());
    file.extend(twox_hash::XxHash3_128::oneshot(header).to_le_bytes());
    file.extend(header);
    file.resize(file.len().next_multiple_of(4096), 0);
    file.extend(pages);
    file
}
