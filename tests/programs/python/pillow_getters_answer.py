from PIL import Image
im = Image.new("RGB", (4, 4), (10, 20, 30))
print(im.getbbox(), im.getextrema(), im.getcolors(), im.convert("L").getprojection()[0][0])
