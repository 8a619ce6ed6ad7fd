UPDATE state SET watermark = $watermark WHERE upstream = $upstream
