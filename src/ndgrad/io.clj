(ns ndgrad.io
  "NumPy's file formats: .npy holds one array, .npz named arrays. NumPy reads the files written here and vice versa, for
  all five dtypes, both byte orders, C and Fortran order. Gradients and history are not stored.

  (require '[ndgrad.core :as nd] '[ndgrad.io :as io])
  (def file (java.io.File/createTempFile \"weights\" \".npz\"))
  (io/save-npz file {:w (nd/ones [3 2]) :b (nd/zeros [2])})
  (:w (io/load-npz file))"
  (:require
   [ndgrad.call :as call])
  (:import
   (java.util LinkedHashMap Map)
   (ndgrad.io Npz)
   (ndgrad.op.spec Coerce)))

(set! *warn-on-reflection* true)

(defn save-npy
  "Writes an array to the .npy file `file` (a string, File or Path, used as it is), replacing an existing one. Returns
  `file`. Throws UncheckedIOException.

  Example: (io/save-npy (java.io.File/createTempFile \"array\" \".npy\") (nd/arange 3))"
  [file x]
  (Npz/saveNpy (call/path "save-npy" file) (call/array "save-npy" x))
  file)

(defn load-npy
  "The array in a .npy file. Throws ArgumentException when it is not such a file, DTypeException for a dtype that ndgrad
  does not have, UncheckedIOException when it cannot be read.

  Example: (let [f (java.io.File/createTempFile \"array\" \".npy\")] (io/load-npy (io/save-npy f [1 2])))"
  [file]
  (Npz/loadNpy (call/path "load-npy" file)))

(defn- entry-name [k]
  (if (keyword? k) (subs (str k) 1) (str k)))

(defn save-npz
  "Writes a map of names (keywords or strings) to arrays to the .npz file `file`, replacing an existing one; `:compressed
  true` compresses it. Returns `file`. Throws ArgumentException when `arrays` is not a map or two names would be the same in
  the file, UncheckedIOException.

  Example: (io/save-npz (java.io.File/createTempFile \"arrays\" \".npz\") {:w [1.0 2.0] :b 3.0} {:compressed true})"
  {:arglists '([file arrays] [file arrays {:keys [compressed]}])}
  [file arrays & options]
  (let [{:keys [compressed]} (call/options "save-npz" options [:compressed])
        compressed? (call/naming "save-npz" (and (some? compressed) (Coerce/flag "compressed" compressed)))
        path (call/path "save-npz" file)
        named (LinkedHashMap.)]
    (when-not (instance? Map arrays)
      (call/fail "save-npz" "a map of names to arrays" arrays))
    (doseq [[k v] arrays]
      (when (.put named (entry-name k) (call/array "save-npz" v))
        (call/fail "save-npz" "a name for each array" (vec (keys arrays)))))
    (if compressed?
      (Npz/saveCompressed path named)
      (Npz/save path named))
    file))

(defn load-npz
  "The arrays in a .npz file, a map with keywords as keys. Throws as `load-npy` does.

  Example: (let [f (java.io.File/createTempFile \"arrays\" \".npz\")] (io/load-npz (io/save-npz f {:w [1 2]})))"
  [file]
  (update-keys (Npz/load (call/path "load-npz" file)) keyword))
