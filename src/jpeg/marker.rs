//! Marker codes: the byte after `FF` (T.81 table B.1).

pub const SOF0: u8 = 0xC0;
pub const SOF1: u8 = 0xC1;
pub const SOF2: u8 = 0xC2;
pub const SOF9: u8 = 0xC9;
pub const SOF10: u8 = 0xCA;
pub const SOF15: u8 = 0xCF;
pub const DHT: u8 = 0xC4;
pub const JPG: u8 = 0xC8;
pub const DAC: u8 = 0xCC;
pub const RST0: u8 = 0xD0;
pub const RST7: u8 = 0xD7;
pub const SOI: u8 = 0xD8;
pub const EOI: u8 = 0xD9;
pub const SOS: u8 = 0xDA;
pub const DQT: u8 = 0xDB;
pub const DRI: u8 = 0xDD;
pub const APP0: u8 = 0xE0;
pub const APP15: u8 = 0xEF;
pub const COM: u8 = 0xFE;

/// The two bytes that end every JPEG.
pub const END: [u8; 2] = [0xFF, EOI];
