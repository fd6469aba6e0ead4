(ns ndgrad.neanderthal
  "Using Neanderthal with ndgrad: data is exchanged by bulk copies, Neanderthal's functions become differentiable ops, and
  its factories serve as BLAS engines. Needs Neanderthal 0.64 on the class path; nothing else in ndgrad needs this
  namespace. doc/neanderthal.md is a tour.

  data     array  an Array from a vector or matrix
           native  a vector or matrix from an Array
           and Neanderthal's own vctr ge dv fge … transfer transfer! raw zero, which accept Arrays once this is loaded
  ops      function  turns a function of vectors and matrices into one of Arrays
           mm  the matrix product by mm!, with gradients of every order
  engines  engine register-engine!; loading this namespace registers the engine \"neanderthal\"

  Arrays implement Releaseable (release does nothing, the garbage collector frees them) and Info.

  (require '[ndgrad.core :as nd] '[ndgrad.neanderthal :as neanderthal]
           '[uncomplicate.neanderthal.core :as n] '[uncomplicate.neanderthal.native :as native])
  (def x (neanderthal/array (native/dge 2 2 [1 2 3 4])))
  (def y (n/transfer! (nd/exp x) (native/dge 2 2)))"
  (:require
   [clojure.java.io :as io]
   [ndgrad.call :as call]
   [ndgrad.core :as nd]
   [ndgrad.tree :as tree])
  (:import
   (ndgrad ArgumentException Array Autograd DType DTypeException GraphException NdException ShapeException)
   (ndgrad.autograd Tensor)
   (ndgrad.blas Blas Checks Engines)
   (ndgrad.kernel.memory NativeCopies NativeCopies$Stripes)
   (ndgrad.op.spec InPlace)))

(set! *warn-on-reflection* true)

(when-not (or (io/resource "uncomplicate/neanderthal/core.clj")
              (io/resource "uncomplicate/neanderthal/core__init.class"))
  (throw (ArgumentException.
          (str "ndgrad.neanderthal needs Neanderthal, which is not on the class path: add"
               " org.uncomplicate/neanderthal-base and org.uncomplicate/neanderthal-mkl or"
               " org.uncomplicate/neanderthal-openblas, version 0.64.0")
          (object-array []))))

(require '[uncomplicate.commons.core :as commons]
         '[uncomplicate.neanderthal.core :as n]
         '[uncomplicate.neanderthal.internal.api :as api])
(import '(java.util List)
        '(org.bytedeco.javacpp Pointer)
        '(uncomplicate.neanderthal.internal.api
          BandedMatrix Block DataAccessor DiagonalMatrix FullStorage GEMatrix LayoutNavigator Matrix NativeBlock
          PackedMatrix Region UploMatrix Vector VectorSpace))

;; ---------------------------------------------------------------------------------------------
;; where the elements of a vector or matrix lie

(defn- fail
  "Throws the error that `make` makes of a message and data, in the name of `op`."
  [op make message & facts]
  (throw (.during ^NdException (make message (object-array facts)) op)))

(defn- shape-error [^String message facts] (ShapeException. message facts))
(defn- dtype-error [^String message facts] (DTypeException. message facts))
(defn- argument-error [^String message facts] (ArgumentException. message facts))
(defn- graph-error [^String message facts] (GraphException. message facts))

(def ^:private dtypes
  {Float/TYPE DType/FLOAT32, Double/TYPE DType/FLOAT64, Integer/TYPE DType/INT32, Long/TYPE DType/INT64})

(def ^:private entry-types
  {DType/FLOAT32 :float, DType/FLOAT64 :double, DType/INT32 :int, DType/INT64 :long})

(defn- dtype-of ^DType [op x]
  (let [entry-type (.entryType ^DataAccessor (api/data-accessor x))]
    (or (dtypes entry-type)
        (fail op dtype-error
              (str "ndgrad has no dtype for entries of type " entry-type
                   ": transfer them to float, double, int or long first, as in (n/transfer native-float x)")
              "type" (str entry-type)))))

(defn- ge? [x] (instance? GEMatrix x))
(defn- column? [x] (.isColumnMajor ^LayoutNavigator (api/navigator x)))

(defn- shape-of [x]
  (if (instance? Matrix x)
    [(.mrows ^Matrix x) (.ncols ^Matrix x)]
    [(.dim ^VectorSpace x)]))

(defn- address
  "The address of the first element of `x`."
  ^long [op ^Block x]
  (let [^Pointer p (.buffer x)]
    (when (or (nil? p) (.isNull p))
      (fail op argument-error "this vector or matrix was released: its memory is gone"))
    (+ (.address p) (* (+ (.position p) (.offset x)) (.sizeof p)))))

(defn- stripes
  "The memory layout of a dense vector or matrix."
  ^NativeCopies$Stripes [op x]
  (when-not (every? #(<= (long %) Integer/MAX_VALUE) (cons (.dim ^VectorSpace x) (shape-of x)))
    (fail op shape-error (str "an Array holds at most 2147483647 elements, not " (.dim ^VectorSpace x))))
  (if (ge? x)
    (let [[m n] (shape-of x)
          [count length] (if (column? x) [n m] [m n])]
      (NativeCopies$Stripes. (int count) (int length) (.ld ^FullStorage (api/storage x))))
    (let [size (int (.dim ^VectorSpace x))
          stride (.stride ^Block x)]
      (if (= 1 stride)
        (NativeCopies$Stripes. 1 size size)
        (NativeCopies$Stripes. size 1 stride)))))

(defn- dense?
  "Whether all elements of `x` are stored, in the memory of this process."
  [x]
  (and (instance? NativeBlock x) (or (ge? x) (instance? Vector x))))

(defn- check-structure [op x]
  (cond
    (not (instance? VectorSpace x))
    (call/fail op "a vector or matrix of Neanderthal" x)

    (not= :cpu (api/device x))
    (fail op argument-error (str "this vector or matrix is in the memory of the device " (api/device x)
                                 ": bring it to the host first with (n/native x)")
          "device" (str (api/device x)))

    (not (or (dense? x) (some #(instance? % x) [UploMatrix BandedMatrix PackedMatrix DiagonalMatrix])))
    (fail op argument-error (str "can't copy a " (.getSimpleName (class x))
                                 ": transfer it to a dense vector or matrix first")
          "class" (.getName (class x)))))

;; ---------------------------------------------------------------------------------------------
;; Neanderthal -> ndgrad

(defn- load!
  "Copies the dense `x` into the primitive array `to`, stripe after stripe."
  [op x to offset step]
  (NativeCopies/load (address op x) (stripes op x) to (int offset) (int step)))

(defn- elements
  "The primitive array behind `a`, which stays recyclable."
  [^Array a]
  (.array (.strided (.tensor a))))

(defn- dense-array
  "A new Array with the elements of the dense `x`, in their memory order."
  ^Array [op x]
  (let [^NativeCopies$Stripes s (stripes op x)
        shape (if (ge? x) [(.count s) (.length s)] (shape-of x))
        a (nd/empty shape {:dtype (dtype-of op x)})]
    (load! op x (elements a) 0 (.length s))
    (if (and (ge? x) (column? x)) (nd/detach (nd/T a)) a)))

(defn- filled-out
  "A new Array with all entries of a matrix that stores only some of them."
  ^Array [op x]
  (let [[m n] (shape-of x)]
    (if (instance? DiagonalMatrix x)
      (let [out (nd/zeros [m n] {:dtype (dtype-of op x)})
            ^Region band (api/region x)]
        (doseq [k (range (- (.kl band)) (inc (.ku band)))
                offset (if (= :st (n/matrix-type x)) (distinct [k (- (long k))]) [k])]
          (n/transfer! (n/dia x k) (nd/diagonal out {:offset offset})))
        out)
      (commons/with-release [ge (api/create-ge (api/factory x) m n true true)]
        (dense-array op (n/transfer! x ge))))))

(defn- from-structure ^Array [op x]
  (check-structure op x)
  (if (dense? x) (dense-array op x) (filled-out op x)))

(defn array
  "A new Array with the elements of `x`, a Neanderthal vector or matrix in host memory with entries of type float, double,
  int or long, which may be strided, transposed or part of another. A dense matrix keeps its memory order, so a column-major
  one becomes a transposed Array; `nd/copy` makes it row-major. Triangular, symmetric, banded, packed and diagonal matrices
  are expanded to all their entries. `x` may be released afterwards. `:dtype` converts, `:requires-grad true` makes the Array
  a leaf that accumulates gradients. Throws DTypeException for entry types that ndgrad has no dtype for (half, short, byte),
  ArgumentException when `x` is something else, was released, or is in the memory of a device.

  Example: (require '[uncomplicate.neanderthal.native :as native])
           (neanderthal/array (native/dge 2 3 (range 6)) {:requires-grad true})"
  {:arglists '([x] [x {:keys [dtype requires-grad]}])}
  (^Array [x] (from-structure "neanderthal/array" x))
  (^Array [x & options]
   (let [{:keys [dtype requires-grad]} (call/options "neanderthal/array" options [:dtype :requires-grad])
         ^Array a (from-structure "neanderthal/array" x)
         a (if dtype (nd/astype a dtype) a)]
     (if requires-grad (nd/requires-grad! a) a))))

;; ---------------------------------------------------------------------------------------------
;; ndgrad -> Neanderthal

(defn- check-convertible [op ^Array a]
  (when (= DType/BOOL (.dtype a))
    (fail op dtype-error "Neanderthal has no bool: convert the array, as in (nd/astype x :int32)" "dtype" "bool"))
  (case (.ndim a)
    0 (fail op shape-error "a 0-d array is a number to Neanderthal: take it with nd/item, or reshape it to [1]"
            "shape" (.shape a))
    (1 2) nil
    (fail op shape-error (str "Neanderthal has vectors and matrices, this array has " (.ndim a) " axes: reshape it, or"
                              " take a matrix at a time with nd/get")
          "shape" (.shape a))))

(defn- element-strides [^Array a]
  (mapv #(quot (long %) (.itemsize a)) (.strides a)))

(defn- column-order?
  "Whether `a` is a matrix with contiguous columns, but not contiguous rows."
  [^Array a]
  (and (= 2 (.ndim a))
       (let [[m n] (nd/shape a)
             [down along] (element-strides a)]
         (and (= 1 down) (< 1 (long n)) (not (and (= 1 along) (= 1 m)))))))

(defn- laid-out
  "`a` outside the graph in this dtype and order, with contiguous rows, or columns."
  ^Array [^Array a ^DType dtype column?]
  (let [a (nd/detach a)
        ^Array a (if (= dtype (.dtype ^Array a)) a (nd/astype a dtype))
        ^Array a (if column? (nd/T a) a)
        length (peek (nd/shape a))]
    (if (or (<= (long length) 1) (= 1 (peek (element-strides a))))
      a
      (nd/copy a))))

(defn- store!
  "Copies `a` into the dense `x` of its shape; returns x."
  [op ^Array a x]
  (let [^Array from (laid-out a (dtype-of op x) (and (ge? x) (column? x)))
        ^NativeCopies$Stripes to (stripes op x)
        step (cond (ge? x) (first (element-strides from))
                   (= 1 (.count to)) 0
                   :else (first (element-strides from)))]
    (NativeCopies/store (elements from) (.offset from) (int step) (address op x) to)
    x))

(defn- default-factory [^Array a]
  ((requiring-resolve 'uncomplicate.neanderthal.native/factory-by-type) (entry-types (.dtype a))))

(defn- structure
  "A vector or matrix of `factory` for the elements of `a`, zero or uninitialised."
  [op ^Array a factory column? zero?]
  (check-convertible op a)
  (let [factory (api/factory (or factory (default-factory a)))
        [m n] (nd/shape a)]
    (if n
      (api/create-ge factory m n (boolean column?) (boolean zero?))
      (api/create-vector factory m (boolean zero?)))))

(defn native
  "A new Neanderthal vector (from a 1-d Array) or dense matrix (from a 2-d one) with the elements of `a`, which may have any
  layout; it is not part of any graph. You must release it. Options: `:layout` :row or :column (default: the memory order of
  `a`), `:factory` (default: Neanderthal's native one for the dtype of `a`); the elements are converted to its type. Throws
  DTypeException for bool, ShapeException for 0 or more than 2 axes.

  Example: (require '[uncomplicate.commons.core :refer [with-release]])
           (with-release [x (neanderthal/native (nd/eye 3) {:layout :column})] (str x))"
  {:arglists '([a] [a {:keys [layout factory]}])}
  [a & options]
  (let [op "neanderthal/native"
        {:keys [layout factory]} (call/options op options [:layout :factory])
        a (call/array op a)]
    (when-not (contains? #{nil :row :column} layout)
      (call/fail op ":layout :row or :column" layout))
    (commons/let-release [x (structure op a factory
                                       (if layout (= :column layout) (column-order? a))
                                       false)]
      (n/transfer! a x))))

;; ---------------------------------------------------------------------------------------------
;; transfer!

(defn- check-shapes [op x a]
  (when-not (= (shape-of x) (nd/shape a))
    (fail op shape-error (str "the " (if (instance? Matrix x) "matrix" "vector") " has the shape " (shape-of x)
                              ", the array " (nd/shape a) ": take a part of the larger, or reshape the array")
          "shapes" [(nd/shape a) (shape-of x)])))

(defmethod n/transfer! [Array VectorSpace] [^Array source destination]
  (let [op "transfer!"]
    (check-structure op destination)
    (when-not (dense? destination)
      (fail op argument-error (str "can't write an array into a " (name (n/matrix-type destination))
                                   " matrix: transfer it to a GE matrix, and that to this one")
            "class" (.getName (class destination))))
    (check-shapes op destination source)
    (store! op source destination)))

(defn- write-through?
  "Whether the elements of `x` can be copied directly into `a`, which is not tracked."
  [op x ^Array a]
  (and (= (.dtype a) (dtype-of op x))
       (let [strides (element-strides a)
             ^NativeCopies$Stripes s (stripes op x)]
         (if (ge? x)
           (or (<= (.length s) 1) (= 1 (if (column? x) (first strides) (second strides))))
           (or (= 1 (first strides)) (< 1 (.count s)))))))

(defmethod n/transfer! [VectorSpace Array] [source ^Array destination]
  (let [op "transfer!"]
    (call/naming op
      (check-structure op source)
      (check-shapes op source destination)
      (let [^Tensor tensor (.tensor destination)
            tracked? (InPlace/guard tensor ^List (list))]
        (if (and (not tracked?) (dense? source) (write-through? op source destination))
          (let [strides (element-strides destination)]
            (load! op source (elements destination) (.offset destination)
                   (if (and (ge? source) (column? source)) (second strides) (first strides)))
            (InPlace/bump tensor op))
          (InPlace/assign tensor (.tensor (from-structure op source)) op))))
    destination))

(defmethod n/transfer! [Array Array] [^Array source ^Array destination]
  (call/naming "transfer!" (InPlace/assign (.tensor destination) (.tensor source) "transfer!"))
  destination)

;; ---------------------------------------------------------------------------------------------
;; what Neanderthal asks of its structures

(defn- info-of [^Array a]
  {:class Array
   :entry-type (.primitive (.dtype a))
   :dtype (nd/dtype a)
   :device :cpu
   :dim (.size a)
   :shape (nd/shape a)
   :offset (.offset a)
   :strides (element-strides a)
   :requires-grad (.requiresGrad a)
   :version (.version a)
   :engine (.name (Engines/current))})

(extend-type Array
  commons/Releaseable
  (release [_] true)
  commons/Info
  (info
    ([a] (info-of a))
    ([a info-type] (get (info-of a) info-type)))
  commons/Entries
  (sizeof* [a] (.itemsize ^Array a))
  (size* [a] (.size ^Array a))
  commons/Bytes
  (bytesize* [a] (.nbytes ^Array a))
  api/Container
  (raw
    ([a] (api/raw a nil))
    ([a factory] (structure "transfer" a factory (column-order? a) false)))
  (zero
    ([a] (api/zero a nil))
    ([a factory] (structure "zero" a factory (column-order? a) true)))
  (host [a] (native a))
  (native [a] (native a)))

;; ---------------------------------------------------------------------------------------------
;; ops

(defn- hold
  "Adds the vector or matrix `x` to those that must be released, once."
  [held x]
  (when (and (instance? VectorSpace x) (not-any? #(identical? x %) @held))
    (vswap! held conj x))
  x)

(defn- argument
  "The argument `x` as a Neanderthal function takes it."
  [op held x]
  (cond
    (not (nd/array? x)) x

    (pos? (.level (.tensor ^Array x)))
    (fail op graph-error (str "Neanderthal can't compute on the arrays inside jvp and vmap: give the function a rule"
                              " with custom-vjp, and map over examples yourself"))

    (and (Autograd/isEnabled) (nd/requires-grad? x))
    (fail op graph-error (str "the derivative of a function of Neanderthal is not known: give it a rule with"
                              " custom-vjp, or detach its arguments"))

    (zero? (nd/ndim x)) (nd/item x)
    :else (hold held (native x))))

(defn- result [op x]
  (cond
    (instance? VectorSpace x) (from-structure op x)
    (or (number? x) (boolean? x)) (nd/array x)
    :else x))

(defn function
  "Turns the function `f` of Neanderthal's vectors and matrices into a function of Arrays, without derivatives. `f` gets
  Arrays as new vectors and matrices, 0-d Arrays as numbers, other arguments as they are. Vectors and matrices in its
  result, also in nested data, become Arrays, numbers 0-d Arrays. All vectors and matrices passed to or returned by `f` are
  released. `nd/custom-vjp` adds gradients; `mm` is an example. The function throws GraphException for Arrays that require a
  gradient, and inside jvp and vmap.

  Example: (require '[uncomplicate.neanderthal.core :as n])
           ((neanderthal/function n/nrm2) (nd/array [3.0 4.0]))"
  [f]
  (let [op "neanderthal/function"]
    (fn [& args]
      (let [held (volatile! [])]
        (try
          (let [returned (apply f (mapv #(argument op held %) args))]
            (run! #(hold held %) (tree/leaves returned))
            (tree/map-leaves #(result op %) returned))
          (finally
            (run! commons/release @held)))))))

(declare mm)

(def ^:private multiply
  (nd/custom-vjp
   (function (fn [a b]
               (let [nothing? (some zero? [(n/dim a) (n/dim b)])]  ; MKL refuses to multiply it
                 (commons/let-release [c (n/ge (api/factory a) (n/mrows a) (n/ncols b) {:raw (not nothing?)})]
                   (if nothing? c (n/mm! 1.0 a b 0.0 c))))))
   (fn [[a b] _ g]
     [(mm g (nd/T b)) (mm (nd/T a) g)])))

(defn mm
  "The matrix product of `a` and `b`, both 2-d and of the same floating dtype, computed by Neanderthal's mm!, as are its
  gradients of every order. Throws ShapeException, DTypeException.

  Example: ((nd/grad (fn [x] (nd/sum (neanderthal/mm x x)))) (nd/array [[1.0 2.0] [3.0 4.0]]))"
  [a b]
  (let [op "neanderthal/mm"
        a (call/array op a)
        b (call/array op b)
        [m k :as a-shape] (nd/shape a)
        [l n :as b-shape] (nd/shape b)]
    (when-not (and (= 2 (count a-shape) (count b-shape)) (= k l))
      (fail op shape-error (str "can't multiply the shapes " a-shape " and " b-shape ": two matrices are needed, the"
                                " second with as many rows as the first has columns")
            "shapes" [a-shape b-shape]))
    (when-not (and (= (.dtype a) (.dtype b)) (.isFloating (.dtype a)))
      (fail op dtype-error (str "needs two arrays of float32 or two of float64, got " (.dtype a) " and " (.dtype b))
            "dtypes" [(str (.dtype a)) (str (.dtype b))]))
    (multiply a b)))

;; ---------------------------------------------------------------------------------------------
;; engines

(defn- operand
  "A matrix of `factory` with the elements of a row-major one in an array, or uninitialised."
  [factory rows cols data offset ld read?]
  (commons/let-release [x (api/create-ge factory rows cols false false)]
    (when read?
      (NativeCopies/store data (int offset) (int ld) (address "gemm" x) (stripes "gemm" x)))
    x))

(defn- multiply-add!
  "C = alpha op(A) op(B) + beta C, see ndgrad.blas.Blas."
  [factory trans-a trans-b m n k alpha [a a-offset lda] [b b-offset ldb] beta [c c-offset ldc]]
  (let [op (fn [x trans?] (if trans? (n/trans x) x))]
    (commons/with-release [x (operand factory (if trans-a k m) (if trans-a m k) a a-offset lda true)
                           y (operand factory (if trans-b n k) (if trans-b k n) b b-offset ldb true)
                           z (operand factory m n c c-offset ldc (not (zero? (double beta))))]
      (n/mm! alpha (op x trans-a) (op y trans-b) beta z)
      (load! "gemm" z c c-offset ldc))))

(defn- nothing-to-multiply? [m n k alpha]
  (or (zero? (long m)) (zero? (long n)) (zero? (long k)) (zero? (double alpha))))

(defn engine
  "A BLAS engine for ndgrad with the name `engine-name` that computes products by mm! of Neanderthal's factories. `factories`
  has a factory for :float32 and one for :float64, both for host memory, and may have `:threading!`, a function that sets the
  number of threads (default: that of uncomplicate.neanderthal.native). Operands are copied into the factory's memory, so it
  is slower than ndgrad's own engines on the same library.

  Example: (require '[uncomplicate.neanderthal.native :as native])
           (.name (neanderthal/engine \"mine\" {:float32 native/native-float :float64 native/native-double}))"
  ^Blas [engine-name {:keys [float32 float64 threading!]}]
  (doseq [factory [float32 float64]]
    (when-not (= :cpu (api/device (api/data-accessor factory)))
      (fail "neanderthal/engine" argument-error "needs factories in the memory of this process"
            "device" (str (api/device (api/data-accessor factory))))))
  (let [threading! (or threading! @(requiring-resolve 'uncomplicate.neanderthal.native/threading!))
        threads (atom (.availableProcessors (Runtime/getRuntime)))]
    (reify Blas
      (name [_] engine-name)
      (version [_] (str "Neanderthal's " (.getSimpleName (class float64))))
      (threads [_] (int @threads))
      (setThreads [_ n]
        (Checks/threads n)
        (threading! n)
        (reset! threads n))
      (^void gemm [_ ^boolean trans-a ^boolean trans-b ^int m ^int n ^int k ^float alpha
                   ^floats a ^int a-offset ^int lda ^floats b ^int b-offset ^int ldb
                   ^float beta ^floats c ^int c-offset ^int ldc]
       (Checks/gemm trans-a trans-b m n k (alength a) a-offset lda (alength b) b-offset ldb (alength c) c-offset ldc)
       (if (nothing-to-multiply? m n k alpha)
         (.gemm (Engines/java) trans-a trans-b m n k alpha a a-offset lda b b-offset ldb beta c c-offset ldc)
         (multiply-add! float32 trans-a trans-b m n k alpha [a a-offset lda] [b b-offset ldb] beta
                        [c c-offset ldc])))
      (^void gemm [_ ^boolean trans-a ^boolean trans-b ^int m ^int n ^int k ^double alpha
                   ^doubles a ^int a-offset ^int lda ^doubles b ^int b-offset ^int ldb
                   ^double beta ^doubles c ^int c-offset ^int ldc]
       (Checks/gemm trans-a trans-b m n k (alength a) a-offset lda (alength b) b-offset ldb (alength c) c-offset ldc)
       (if (nothing-to-multiply? m n k alpha)
         (.gemm (Engines/java) trans-a trans-b m n k alpha a a-offset lda b b-offset ldb beta c c-offset ldc)
         (multiply-add! float64 trans-a trans-b m n k alpha [a a-offset lda] [b b-offset ldb] beta
                        [c c-offset ldc]))))))

(defn register-engine!
  "Registers `(engine engine-name factories)`, so that `ndgrad.blas.Engines/use` and `with` can select it. `factories` may be
  a delay. Loading this namespace registers \"neanderthal\", with the native factories. Returns nil.

  Example: (require '[uncomplicate.neanderthal.native :as native])
           (neanderthal/register-engine! \"mine\" {:float32 native/native-float :float64 native/native-double})"
  [engine-name factories]
  (Engines/register engine-name #(engine engine-name (force factories))))

(register-engine! "neanderthal"
                  (delay {:float32 @(requiring-resolve 'uncomplicate.neanderthal.native/native-float)
                          :float64 @(requiring-resolve 'uncomplicate.neanderthal.native/native-double)}))
