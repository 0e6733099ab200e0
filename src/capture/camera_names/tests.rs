use super::*;

#[test]
fn a_model_is_read_out_of_what_a_camera_calls_itself() {
    for (card, model) in [
        ("HD Pro Webcam C920", "c920"),
        ("Logitech Webcam C930e", "c930e"),
        ("C922 Pro Stream Webcam", "c922"),
        ("Logitech BRIO", "brio"),
        ("Logitech StreamCam", "streamcam"),
        ("UVC Camera (046d:0825)", "uvc-camera"),
        ("UVC Camera (046d:081b)", "uvc-camera"),
        ("Webcam C270", "c270"),
        ("USB 2.0 Camera: USB Camera", "usb-camera"),
        ("USB2.0 HD UVC WebCam: USB2.0 HD", "usb-hd-uvc-webcam"),
        ("USB Camera: USB Camera", "usb-camera"),
        ("USB Video: USB Video", "usb-video"),
        ("Integrated Camera: Integrated C", "integrated-camera"),
        ("Integrated Camera: Integrated I", "integrated-camera"),
        ("Integrated_Webcam_HD: Integrate", "integrated-webcam-hd"),
        ("HP Truevision HD Camera", "truevision-hd"),
        ("HP TrueVision HD: HP TrueVision", "truevision-hd"),
        ("Microsoft® LifeCam HD-3000: Mi", "hd-3000"),
        ("Microsoft LifeCam Cinema", "lifecam-cinema"),
        ("Razer Kiyo Pro", "kiyo-pro"),
        ("FaceTime HD Camera", "facetime-hd"),
        ("Cam Link 4K: Cam Link 4K", "cam-link-4k"),
        ("Elgato Facecam", "facecam"),
        ("Lenovo EasyCamera: Lenovo EasyC", "easycamera"),
        ("1080P Web Camera: 1080P Web Came", "1080p-web-camera"),
        ("GENERAL WEBCAM: GENERAL WEBCAM", "general-webcam"),
        ("Global Shutter Camera: Global S", "global-shutter"),
        ("Arducam OV9782 USB Camera: Ardu", "ov9782"),
        ("Intel(R) RealSense(TM) Depth Ca", "realsense-depth-ca"),
        ("Dummy video device (0x0000)", "dummy-video-device"),
        ("H264 USB Camera: USB Camera", "h264"),
        ("Fake Camera", "fake"),
        ("ÜBER Kamera", "ber-kamera"),
        ("", ""),
        ("庭", ""),
        ("(", ""),
    ] {
        assert_eq!(model_of_card(card), model, "{card}");
    }
}

fn given(names: &mut CameraNames, devices: &[Described]) -> Vec<String> {
    let given = names.give(devices).into_iter();
    given.map(|name| name.to_string()).collect()
}

fn described(card: &str, serial: &str, port: &str) -> Described {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Described {
        model: model_of_card(card),
        serial: some(serial),
        port: some(port),
    }
}

#[test]
fn one_of_a_model_has_the_models_name_and_of_several_each_its_own() {
    let long = "A camera with a name that never comes to an end";
    // Serial numbers and ports of cameras of one card that are found together.
    for (card, devices, names) in [
        (
            "HD Pro Webcam C920",
            &[("8B1D8A3F", "usb1-2")][..],
            &["c920"][..],
        ),
        (
            "HD Pro Webcam C920",
            &[("8B1D8A3F", "usb1-2"), ("5F2E11AF", "usb1-3")],
            &["c920-8a3f", "c920-11af"],
        ),
        (
            "HD Pro Webcam C920",
            &[("18A3F", "usb1-2"), ("28A3F", "usb1-3")],
            &["c920-18a3f", "c920-28a3f"],
        ),
        (
            "USB Camera",
            &[("200901010001", "usb1-1-2"), ("200901010001", "usb1-1-3")],
            &["usb-camera-usb1-1-2", "usb-camera-usb1-1-3"],
        ),
        (
            "USB Camera",
            &[("", "usb1-2"), ("A1", "usb1-3")],
            &["usb-camera-usb1-2", "usb-camera-a1"],
        ),
        (
            "Integrated Camera: Integrated C",
            &[("0001", "usb1-8"), ("0001", "usb1-8")],
            &["integrated-camera-usb1-8", "integrated-camera-usb1-8-2"],
        ),
        ("Dummy", &[("", ""), ("", "")], &["dummy", "dummy-2"]),
        (long, &[("", "")], &["a-with-a-name-that"]),
        (
            long,
            &[("", "usb1-1-2-3-4-5-6-7"), ("", "usb1-1-2-3-4-5-6-8")],
            &[
                "a-with-a-name-that-usb1-1-2-3-4",
                "a-with-a-name-that-usb1-1-2-2",
            ],
        ),
        ("Streams", &[("", "usb1-2")], &["streams-usb1-2"]),
        ("TEST", &[("", "")], &["test-2"]),
        ("", &[("", "")], &["camera"]),
    ] {
        let mut names_given = CameraNames::new(&["Test"]);
        let devices = devices
            .iter()
            .map(|(serial, port)| described(card, serial, port));
        let devices: Vec<_> = devices.collect();
        assert_eq!(given(&mut names_given, &devices), names, "{card}");
        for name in names {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            assert!(
                name.bytes().all(is_plain) && (1..=32).contains(&name.len()),
                "{name}"
            );
        }
    }
}

#[test]
fn who_comes_later_leaves_the_first_its_name() {
    let mut names = CameraNames::new(&[]);
    let c920 = |serial: &str, port: &str| described("HD Pro Webcam C920", serial, port);
    assert_eq!(given(&mut names, &[c920("AAAA1111", "usb1-1")]), ["c920"]);
    assert_eq!(
        given(&mut names, &[c920("BBBB2222", "usb1-2")]),
        ["c920-2222"]
    );
    // Another one with that end, and then all is taken that it may be called.
    assert_eq!(
        given(&mut names, &[c920("CCCC2222", "usb1-2")]),
        ["c920-usb1-2"]
    );
    assert_eq!(
        given(&mut names, &[c920("DDDD2222", "usb1-2")]),
        ["c920-usb1-2-2"]
    );
    let brio = |serial: &str| described("Logitech BRIO", serial, "usb1-1");
    let both = given(&mut names, &[brio("11112222"), brio("33334444")]);
    assert_eq!(both, ["brio-2222", "brio-4444"]);
    let third = given(&mut names, &[brio("55556666")]);
    assert_eq!(third, ["brio-6666"], "not as if it were the only one");
}
