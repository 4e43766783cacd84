#!/usr/bin/env python3
"""Compile the C/C++ extensions (no meson) for the static wasm link.
usage: build_ext.py GROUP...   ; objects in build/ext/<name>/, list in build/ext/<name>.json"""
import sys, os, json, subprocess, glob, hashlib
from concurrent.futures import ThreadPoolExecutor
B=os.environ['IMAGE_BUILD_DIR']; O=B+'/'+os.environ.get('IMAGE_OBJ','obj'); S=B+'/src'; TC=B+'/tc'
PYI=B+'/wasmpy/include/python3.13'; PB=B+'/venv/lib/python3.13/site-packages/pybind11/include'
CPPY=B+'/venv/lib/python3.13/site-packages/cppy/include'
NPI=[S+'/numpy-2.3.5/numpy/_core/include', O+'/numpy/numpy/_core', O+'/numpy/numpy/_core/include']
FT=S+'/freetype-2.12.1'; M=S+'/matplotlib-3.10.9'; QH=S+'/qhull-2020.2/src'; CP=S+'/contourpy-1.4.0/src'; KW=S+'/kiwisolver-1.5.1'; PIL=S+'/pillow-12.3.0'
OPT=os.environ.get('OPT','-O2')
def mang(n): return 'PyInit_'+n.replace('_','_1').replace('.','__')
E=[]
def ext(group,name,srcs,inc=(),flags=(),lib=False): E.append((group,name,srcs,list(inc),list(flags),lib))
ft=['base/'+x for x in 'ftsystem ftinit ftdebug ftbase ftbbox ftglyph ftbitmap ftmm ftstroke ftsynth fttype1 ftfstype ftgasp ftpfr ftwinfnt ftbdf ftcid ftpatent ftotval ftgxval'.split()]+'truetype/truetype type1/type1 cff/cff cid/type1cid pfr/pfr type42/type42 winfonts/winfnt pcf/pcf bdf/bdf sfnt/sfnt autofit/autofit pshinter/pshinter raster/raster smooth/smooth psaux/psaux psnames/psnames gzip/ftgzip lzw/ftlzw sdf/sdf svg/svg'.split()
ext('mpl','lib.freetype',[f'{FT}/src/{x}.c' for x in ft],[FT+'/include',B+'/deps/include'],['-DFT2_BUILD_LIBRARY','-DFT_CONFIG_OPTION_SYSTEM_ZLIB'],True)
ext('mpl','lib.qhull_r',[f'{QH}/libqhull_r/{x}.c' for x in 'geom2_r geom_r global_r io_r libqhull_r mem_r merge_r poly2_r poly_r qset_r random_r rboxlib_r stat_r user_r usermem_r userprintf_r userprintf_rbox_r'.split()],[QH],[],True)
AG=M+'/extern/agg24-svn'
ext('mpl','lib.agg',[f'{AG}/src/agg_{x}.cpp' for x in 'bezier_arc curves image_filters trans_affine vcgen_contour vcgen_dash vcgen_stroke vpgen_segmentator'.split()],[AG+'/include'],[],True)
shim=['-include',TC+'/cxxinc/threadshim.h','-std=c++17','-fvisibility=hidden']
mi=[M+'/src',AG+'/include',FT+'/include',PB,QH]+NPI
def mpl(n,src,fl=()): ext('mpl',n,[M+'/src/'+s for s in src],mi,shim+['-DNDEBUG','-Wno-c++11-narrowing']+list(fl))
mpl('matplotlib.backends._backend_agg',['_backend_agg.cpp','_backend_agg_wrapper.cpp'])
mpl('matplotlib._c_internal_utils',['_c_internal_utils.cpp'])
mpl('matplotlib.ft2font',['ft2font.cpp','ft2font_wrapper.cpp'],['-DFREETYPE_BUILD_TYPE="local"'])
mpl('matplotlib._image',['_image_wrapper.cpp','py_converters.cpp'])
mpl('matplotlib._path',['_path_wrapper.cpp'])
mpl('matplotlib._qhull',['_qhull_wrapper.cpp'],['-DMPL_DEVNULL=/dev/null'])
mpl('matplotlib._tri',['tri/_tri.cpp','tri/_tri_wrapper.cpp'])
ext('mpl','contourpy._contourpy',[f'{CP}/{x}.cpp' for x in 'chunk_local contour_generator converter fill_type line_type mpl2005_original mpl2005 mpl2014 outer_or_hole serial threaded util wrap z_interp'.split()],[CP,PB]+NPI,shim+['-DNDEBUG','-DCONTOURPY_VERSION="1.4.0"' ])
ext('mpl','kiwisolver._cext',[f'{KW}/py/src/{x}.cpp' for x in 'kiwisolver constraint expression solver strength term variable'.split()],[KW,KW+'/py/src',CPPY],shim+['-DNDEBUG'])
pc=[PIL+'/src/'+x+'.c' for x in '_imaging decode encode display map outline path'.split()]+sorted(x for x in glob.glob(PIL+'/src/libImaging/*.c'))
pf=['-DNDEBUG','-DHAVE_LIBZ','-DHAVE_UNISTD_H','-DPILLOW_VERSION="12.3.0"','-D_GNU_SOURCE']
ext('pil','PIL._imaging',pc,[PIL+'/src/libImaging',B+'/deps/include'],pf)
for n in ('math','morph'): ext('pil','PIL._imaging'+n,[PIL+f'/src/_imaging{n}.c'],[PIL+'/src/libImaging'],pf)
def job(a):
    src,obj,cmd=a
    if os.path.exists(obj) and os.path.getmtime(obj)>os.path.getmtime(src): return 0
    r=subprocess.run(cmd,capture_output=True,text=True)
    open(obj+'.log','w').write(' '.join(cmd)+'\n'+r.stderr)
    if r.returncode: print('FAIL',src,obj+'.log',flush=True)
    return r.returncode
if __name__=='__main__':
    want=sys.argv[1:]; jobs=[]; 
    for g,n,srcs,inc,fl,lib in E:
        if g not in want and n not in want: continue
        d=f'{O}/ext/{n}'; os.makedirs(d,exist_ok=True); objs=[]
        for s in srcs:
            o=d+'/'+os.path.basename(s).rsplit('.',1)[0]+'.o'; objs.append(o)
            cc='w++' if s.endswith('pp') else 'wcc'
            last=n.rsplit('.',1)[1]
            cmd=['nice','-n','5',TC+'/bin/'+cc,OPT,'-w']+([f'-DPyInit_{last}={mang(n)}'] if not lib else [])+['-I'+i for i in inc+[PYI]]+(fl)+['-c',s,'-o',o]
            jobs.append((s,o,cmd))
        json.dump({'name':None if lib else n,'init':mang(n),'objs':objs},open(d+'.json','w'))
    with ThreadPoolExecutor(int(os.environ.get('J','2'))) as ex: r=list(ex.map(job,jobs))
    print('done',len(r),'fail',sum(1 for x in r if x))
